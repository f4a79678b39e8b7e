#include <bit>
#include <stdexcept>

#include "tests/standin/cudnn_store.h"

namespace ghost::standin {
namespace {

void require(bool good, const char* what) {
  if (!good) throw std::invalid_argument(what);
}

DType type_of(cudnnDataType_t type) {
  switch (type) {
    case CUDNN_DATA_FLOAT: return DType::kFloat32;
    case CUDNN_DATA_HALF: return DType::kFloat16;
    case CUDNN_DATA_BFLOAT16: return DType::kBFloat16;
  }
  throw std::invalid_argument("only float32, float16 and bfloat16 are computed");
}

Convolution::Map map_of(const Descriptor& tensor) {
  Convolution::Map map{
      tensor.value<int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID), tensor.value<int64_t>(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT),
      type_of(tensor.value<cudnnDataType_t>(CUDNN_ATTR_TENSOR_DATA_TYPE)),
      tensor.values<int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS), tensor.values<int64_t>(CUDNN_ATTR_TENSOR_STRIDES)};
  require(map.size.size() == 4 && map.stride.size() == 4, "a tensor has four dimensions");
  for (size_t i = 0; i < 4; ++i) require(map.size[i] > 0 && map.stride[i] > 0, "sizes and strides are positive");
  require(map.alignment >= size_of(map.type) && std::has_single_bit(static_cast<uint64_t>(map.alignment)),
          "an alignment is a power of two and holds an element");
  return map;
}

struct Names {
  cudnnBackendAttributeName_t convolution, x, weight, z, alpha, beta;
};

Names names_of(cudnnBackendDescriptorType_t operation) {
  switch (operation) {
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR:
      return {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,         CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA};
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR:
      return {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA};
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR:
      return {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,        CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA};
    default: throw std::invalid_argument("only convolutions are stood in for");
  }
}

void check_sizes(const Convolution& c) {
  require(c.before.size() == 2 && c.after.size() == 2 && c.step.size() == 2 && c.dilation.size() == 2,
          "two spatial dimensions");
  const auto &x = c.x.size, &w = c.weight.size, &z = c.z.size;
  require(x[0] == z[0] && w[0] == z[1] && x[1] % w[1] == 0 && z[1] % c.groups() == 0, "channels do not fit");
  for (size_t i = 0; i < 2; ++i) {
    const int64_t reach = (w[i + 2] - 1) * c.dilation[i] + 1;
    require(z[i + 2] == (x[i + 2] + c.before[i] + c.after[i] - reach) / c.step[i] + 1, "the output size does not fit");
  }
  require(c.x.type == c.z.type && c.x.type == c.weight.type, "all three have one type");
  require(c.weight.stride[1] == 1 && c.x.stride[1] == 1 && c.z.stride[1] == 1, "all three lie channels last");
}

// A tensor's numbers in double, dense in its own order of indices.
class Numbers {
 public:
  Numbers(const Convolution::Map& map, const void* data, bool tf32) : Numbers(map) {
    if (data == nullptr) return;
    for_each([&](double& number, int64_t offset) {
      const float value = element(data, map.type, offset);
      number = tf32 ? rounded_to_tf32(value) : value;
    });
  }
  explicit Numbers(const Convolution::Map& map) : map_(map), numbers_(static_cast<size_t>(map.numel())) {}

  // The channels of (n, h, w), side by side.
  double* at(int64_t n, int64_t h, int64_t w) {
    return numbers_.data() + ((n * map_.size[2] + h) * map_.size[3] + w) * map_.size[1];
  }

  void store(void* data, float alpha, float beta) {
    for_each([&](double number, int64_t offset) {
      const double old = beta == 0 ? 0 : double{beta} * element(data, map_.type, offset);
      set_element(data, map_.type, offset, static_cast<float>(alpha * number + old));
    });
  }

 private:
  template <class Visit>
  void for_each(const Visit& visit) {
    const auto &size = map_.size, &stride = map_.stride;
    double* number = numbers_.data();
    for (int64_t n = 0; n < size[0]; ++n)
      for (int64_t h = 0; h < size[2]; ++h)
        for (int64_t w = 0; w < size[3]; ++w)
          for (int64_t c = 0; c < size[1]; ++c)
            visit(*number++, n * stride[0] + c * stride[1] + h * stride[2] + w * stride[3]);
  }

  const Convolution::Map& map_;
  std::vector<double> numbers_;
};

// Calls tap(x's channels, the weight's place, z's channels) wherever a weight meets a pixel.
template <class Tap>
void for_each_tap(const Convolution& c, Numbers& x, Numbers& z, const Tap& tap) {
  for (int64_t n = 0; n < c.z.size[0]; ++n)
    for (int64_t i = 0; i < c.z.size[2]; ++i)
      for (int64_t j = 0; j < c.z.size[3]; ++j)
        for (int64_t r = 0; r < c.weight.size[2]; ++r)
          for (int64_t s = 0; s < c.weight.size[3]; ++s) {
            const int64_t h = i * c.step[0] - c.before[0] + r * c.dilation[0];
            const int64_t w = j * c.step[1] - c.before[1] + s * c.dilation[1];
            if (h >= 0 && h < c.x.size[2] && w >= 0 && w < c.x.size[3]) tap(x.at(n, h, w), r, s, z.at(n, i, j));
          }
}

}  // namespace

int64_t Convolution::Map::bytes() const {
  int64_t last = 0;
  for (size_t i = 0; i < 4; ++i) last += (size[i] - 1) * stride[i];
  return (last + 1) * size_of(type);
}

const Convolution::Map& Convolution::result() const {
  return operation == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR         ? z
         : operation == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR ? x
                                                                                     : weight;
}

Convolution convolution_of(const Descriptor& operation) {
  const Names names = names_of(operation.type);
  const Descriptor& numbers = operation.child(names.convolution);
  require(numbers.value<cudnnConvolutionMode_t>(CUDNN_ATTR_CONVOLUTION_CONV_MODE) == CUDNN_CROSS_CORRELATION,
          "only cross correlation is computed");
  Convolution c{.operation = operation.type,
                .x = map_of(operation.child(names.x)),
                .weight = map_of(operation.child(names.weight)),
                .z = map_of(operation.child(names.z)),
                .before = numbers.values<int64_t>(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS),
                .after = numbers.values<int64_t>(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS),
                .step = numbers.values<int64_t>(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES),
                .dilation = numbers.values<int64_t>(CUDNN_ATTR_CONVOLUTION_DILATIONS),
                .alpha = operation.value<float>(names.alpha),
                .beta = operation.value<float>(names.beta)};
  check_sizes(c);
  return c;
}

void compute(const Convolution& c, void* x_data, void* weight_data, void* z_data, bool tf32) {
  const int64_t inputs = c.weight.size[1], outputs = c.z.size[1] / c.groups();
  Numbers x(c.x, &c.result() == &c.x ? nullptr : x_data, tf32);
  Numbers weight(c.weight, &c.result() == &c.weight ? nullptr : weight_data, tf32);
  Numbers z(c.z, &c.result() == &c.z ? nullptr : z_data, tf32);
  const auto for_each_pair = [&](const auto& body) {
    for_each_tap(c, x, z, [&](double* x_at, int64_t r, int64_t s, double* z_at) {
      for (int64_t o = 0; o < c.z.size[1]; ++o) body(x_at + o / outputs * inputs, weight.at(o, r, s), z_at + o);
    });
  };
  if (&c.result() == &c.z) {
    for_each_pair([&](const double* in, const double* w, double* out) {
      for (int64_t k = 0; k < inputs; ++k) *out += in[k] * w[k];
    });
    z.store(z_data, c.alpha, c.beta);
  } else if (&c.result() == &c.x) {
    for_each_pair([&](double* in, const double* w, const double* out) {
      for (int64_t k = 0; k < inputs; ++k) in[k] += w[k] * *out;
    });
    x.store(x_data, c.alpha, c.beta);
  } else {
    for_each_pair([&](const double* in, double* w, const double* out) {
      for (int64_t k = 0; k < inputs; ++k) w[k] += in[k] * *out;
    });
    weight.store(weight_data, c.alpha, c.beta);
  }
}

}  // namespace ghost::standin

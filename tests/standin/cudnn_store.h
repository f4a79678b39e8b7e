// cuDNN's backend descriptors as the stand-in keeps them: attributes under their names, children shared.
#pragma once

#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/standin/element.h"
#include "tests/standin/toolkit/cudnn.h"

namespace ghost::standin {

struct Descriptor;
using DescriptorPointer = std::shared_ptr<Descriptor>;

struct Attribute {
  cudnnBackendAttributeType_t type{};
  int64_t count = 0;
  std::vector<char> bytes;
  std::vector<DescriptorPointer> children;
};

struct Descriptor {
  cudnnBackendDescriptorType_t type{};
  bool finalized = false;
  std::map<cudnnBackendAttributeName_t, Attribute> attributes;

  bool has(cudnnBackendAttributeName_t name) const { return attributes.contains(name); }
  const Descriptor& child(cudnnBackendAttributeName_t name) const { return *attributes.at(name).children.at(0); }
  template <class T>
  std::vector<T> values(cudnnBackendAttributeName_t name) const {
    const Attribute& attribute = attributes.at(name);
    std::vector<T> result(static_cast<size_t>(attribute.count));
    std::memcpy(result.data(), attribute.bytes.data(), attribute.bytes.size());
    return result;
  }
  template <class T>
  T value(cudnnBackendAttributeName_t name) const {
    return values<T>(name).at(0);
  }
};

// What an engine of the stand-in is like; the first three must be passed over by who wants exact results.
enum class Engine : int64_t { kTensorCore, kNondeterministic, kHungry, kPlain, kFallback };

// The convolution that an operation describes, its numbers checked; throws std::invalid_argument with what is wrong.
struct Convolution {
  struct Map {
    int64_t id, alignment;
    DType type;
    std::vector<int64_t> size, stride;  // n, c, h, w
    int64_t numel() const { return size[0] * size[1] * size[2] * size[3]; }
    int64_t bytes() const;  // from the first element to the last
  };
  cudnnBackendDescriptorType_t operation{};
  Map x, weight, z;
  std::vector<int64_t> before, after, step, dilation;
  float alpha = 1, beta = 0;

  int64_t groups() const { return x.size[1] / weight.size[1]; }
  const Map& result() const;
};
Convolution convolution_of(const Descriptor& operation);

// Plain loops in double; the result is rounded to its type. `tf32`: inputs are rounded to 10 bits first, as tensor
// cores do.
void compute(const Convolution& convolution, void* x, void* weight, void* z, bool tf32);

}  // namespace ghost::standin

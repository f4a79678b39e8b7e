// cuDNN's backend API on the CPU: single convolutions in float32, bfloat16 and float16. Its heuristics offer engines
// that round to TF32, that are not deterministic and that need a large workspace before one that is right; each
// computes as it says.
#include "tests/standin/toolkit/cudnn.h"

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <stdexcept>

#include "tests/standin/cudnn_store.h"
#include "tests/standin/standin.h"

struct cudnnContext {
  cudaStream_t stream = nullptr;
};

namespace ghost::standin {
namespace {

std::recursive_mutex mutex;
std::map<void*, DescriptorPointer>& live = *new std::map<void*, DescriptorPointer>;
thread_local std::string last_words;

cudnnStatus_t refuse(cudnnStatus_t status, const std::string& why) {
  last_words = why;
  return status;
}
// A mistake of the caller, where refuse() may be an answer it reckons with.
cudnnStatus_t mistake(cudnnStatus_t status, const std::string& what) {
  report_mistake("cuDNN: " + what);
  return refuse(status, what);
}

DescriptorPointer find(void* handle) {
  const auto found = live.find(handle);
  return found == live.end() ? nullptr : found->second;
}

size_t size_of(cudnnBackendAttributeType_t type) {
  switch (type) {
    case CUDNN_TYPE_INT64: return sizeof(int64_t);
    case CUDNN_TYPE_HANDLE:
    case CUDNN_TYPE_VOID_PTR:
    case CUDNN_TYPE_BACKEND_DESCRIPTOR: return sizeof(void*);
    default: return 4;
  }
}

template <class T>
void put(Descriptor& d, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
         const std::vector<T>& values) {
  Attribute& attribute = d.attributes[name] = {type, static_cast<int64_t>(values.size()), {}, {}};
  attribute.bytes.resize(values.size() * sizeof(T));
  std::memcpy(attribute.bytes.data(), values.data(), attribute.bytes.size());
}

void put_child(Descriptor& d, cudnnBackendAttributeName_t name, DescriptorPointer child) {
  d.attributes[name] = {CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, {}, {std::move(child)}};
}

// Names of the stand-in's own, unlike any of cuDNN's.
constexpr auto kEngineGraph = static_cast<cudnnBackendAttributeName_t>(-2);

std::vector<Engine> engines_of(cudnnBackendHeurMode_t mode) {
  if (mode == CUDNN_HEUR_MODE_FALLBACK) return {Engine::kFallback};
  return {Engine::kTensorCore, Engine::kNondeterministic, Engine::kHungry, Engine::kPlain};
}

DescriptorPointer make_engine(Engine engine, const DescriptorPointer& graph) {
  auto made = std::make_shared<Descriptor>(Descriptor{CUDNN_BACKEND_ENGINE_DESCRIPTOR, true, {}});
  std::vector<cudnnBackendNumericalNote_t> notes;
  if (engine == Engine::kTensorCore) notes = {CUDNN_NUMERICAL_NOTE_TENSOR_CORE};
  if (engine == Engine::kNondeterministic) notes = {CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC};
  put(*made, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE, notes);
  put(*made, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, std::vector<int64_t>{static_cast<int64_t>(engine)});
  put_child(*made, kEngineGraph, graph);
  return made;
}

const Descriptor& engine_of(const Descriptor& plan) {
  return plan.child(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG).child(CUDNN_ATTR_ENGINECFG_ENGINE);
}
Engine index_of(const Descriptor& plan) {
  return static_cast<Engine>(engine_of(plan).value<int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX));
}
const Descriptor& operation_of(const Descriptor& plan) {
  return engine_of(plan).child(kEngineGraph).child(CUDNN_ATTR_OPERATIONGRAPH_OPS);
}

int64_t workspace_of(Engine engine) {
  return engine == Engine::kHungry ? int64_t{1} << 40 : engine == Engine::kPlain ? 1000 : 0;
}

cudnnStatus_t finalize(Descriptor& d) {
  switch (d.type) {
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR:
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR:
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR: convolution_of(d); break;
    case CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR: {
      const Convolution convolution = convolution_of(operation_of(d));
      // Something must be left to the fallback list.
      if (index_of(d) == Engine::kPlain && convolution.groups() > 1)
        return refuse(CUDNN_STATUS_NOT_SUPPORTED, "the plain engine does not group");
      put(d, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64,
          std::vector<int64_t>{workspace_of(index_of(d))});
      break;
    }
    default: break;
  }
  d.finalized = true;
  return CUDNN_STATUS_SUCCESS;
}

// Fills the caller's configurations with what the heuristics think best.
cudnnStatus_t give_results(const Descriptor& heuristics, int64_t requested, int64_t* count, void* elements) {
  const std::vector<Engine> engines = engines_of(heuristics.value<cudnnBackendHeurMode_t>(CUDNN_ATTR_ENGINEHEUR_MODE));
  const auto offered = static_cast<int64_t>(engines.size());
  *count = requested == 0 ? offered : std::min(requested, offered);
  for (int64_t i = 0; i < requested && i < offered; ++i) {
    const DescriptorPointer config = find(static_cast<void**>(elements)[i]);
    if (!config) return mistake(CUDNN_STATUS_BAD_PARAM, "heuristics into a dead descriptor");
    const DescriptorPointer& graph = heuristics.attributes.at(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH).children[0];
    put_child(*config, CUDNN_ATTR_ENGINECFG_ENGINE, make_engine(engines[static_cast<size_t>(i)], graph));
    config->finalized = true;
  }
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t give_child(const Attribute& attribute, int64_t* count, void* elements) {
  const DescriptorPointer into = find(*static_cast<void**>(elements));
  if (!into) return mistake(CUDNN_STATUS_BAD_PARAM, "an attribute into a dead descriptor");
  *into = *attribute.children.at(0);
  *count = 1;
  return CUDNN_STATUS_SUCCESS;
}

struct Pointers {
  void *x = nullptr, *weight = nullptr, *z = nullptr;
};

// A convolution's three pointers; "" or what is wrong with them.
std::string pointers_of(const Convolution& c, const Descriptor& pack, Pointers& pointers) {
  const auto ids = pack.values<int64_t>(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
  const auto data = pack.values<void*>(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
  if (ids.size() != data.size()) return "as many ids as pointers are needed";
  const auto take = [&](const char* name, const Convolution::Map& map, void*& pointer) -> std::string {
    const auto found = std::ranges::find(ids, map.id);
    if (found == ids.end()) return std::string(name) + " has no pointer";
    void* const at = data[static_cast<size_t>(found - ids.begin())];
    if (reinterpret_cast<uintptr_t>(at) % static_cast<uintptr_t>(map.alignment) != 0)
      return std::string(name) + " is not aligned to the promised " + std::to_string(map.alignment) + " bytes";
    if (!check_range(at, static_cast<size_t>(map.bytes()), std::string("cuDNN, ") + name))
      return std::string(name) + " lies outside of its block";
    pointer = at;
    return "";
  };
  std::string fault = take("x", c.x, pointers.x);
  if (fault.empty()) fault = take("weight", c.weight, pointers.weight);
  if (fault.empty()) fault = take("z", c.z, pointers.z);
  return fault;
}

cudnnStatus_t execute(cudaStream_t stream, const Descriptor& plan, const Descriptor& pack) {
  const Convolution c = convolution_of(operation_of(plan));
  Pointers p;
  if (const std::string fault = pointers_of(c, pack, p); !fault.empty())
    return mistake(CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER, fault);
  const Engine engine = index_of(plan);
  const auto bytes = static_cast<size_t>(workspace_of(engine));
  void* const workspace = pack.value<void*>(CUDNN_ATTR_VARIANT_PACK_WORKSPACE);
  if (bytes > 0 && !check_range(workspace, bytes, "cuDNN, workspace"))
    return refuse(CUDNN_STATUS_BAD_PARAM_OUT_OF_BOUND, "the workspace is not the device's");
  const int64_t size = size_of(c.x.type), written = c.result().numel() * size;
  const int64_t read = (c.x.numel() + c.weight.numel() + c.z.numel()) * size - written;
  const cudaError_t status = call_library(stream, read, written, [=] {
    if (bytes > 0) std::memset(workspace, 0xff, bytes);
    compute(c, p.x, p.weight, p.z, engine == Engine::kTensorCore);
  });
  return status == cudaSuccess ? CUDNN_STATUS_SUCCESS : refuse(CUDNN_STATUS_EXECUTION_FAILED, "the device is lost");
}

// Runs `body` on live descriptors; what it throws becomes a status.
template <class Body>
cudnnStatus_t with(void* handle, const Body& body) {
  const std::lock_guard lock(mutex);
  const DescriptorPointer descriptor = find(handle);
  if (!descriptor) return mistake(CUDNN_STATUS_BAD_PARAM, "a dead descriptor");
  try {
    return body(descriptor);
  } catch (const std::invalid_argument& error) {
    return refuse(CUDNN_STATUS_BAD_PARAM, error.what());
  } catch (const std::out_of_range&) {
    return mistake(CUDNN_STATUS_BAD_PARAM, "an attribute that is needed was not set");
  }
}

}  // namespace
}  // namespace ghost::standin

using namespace ghost::standin;  // NOLINT(google-build-using-namespace): the functions below are cuDNN's

extern "C" {

const char* ghost_standin_name() { return "cuDNN of tests/standin"; }

cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  *handle = new cudnnContext;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  handle->stream = stream;
  return CUDNN_STATUS_SUCCESS;
}

const char* cudnnGetErrorString(cudnnStatus_t status) {
  return status == CUDNN_STATUS_SUCCESS ? "CUDNN_STATUS_SUCCESS" : "a status of the cuDNN stand-in";
}

void cudnnGetLastErrorString(char* message, size_t max_size) {
  const size_t size = std::min(last_words.size(), max_size - 1);
  std::memcpy(message, last_words.data(), size);
  message[size] = 0;
}

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t* descriptor) {
  const std::lock_guard lock(mutex);
  const auto made = std::make_shared<Descriptor>(Descriptor{type, false, {}});
  live[*descriptor = made.get()] = made;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t descriptor) {
  const std::lock_guard lock(mutex);
  return live.erase(descriptor) == 1 ? CUDNN_STATUS_SUCCESS
                                     : mistake(CUDNN_STATUS_BAD_PARAM, "a descriptor destroyed twice");
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t count, const void* elements) {
  return with(descriptor, [&](const DescriptorPointer& d) {
    if (d->finalized) return mistake(CUDNN_STATUS_BAD_PARAM, "an attribute of a finalized descriptor");
    Attribute attribute{type, count, {}, {}};
    const char* const begin = static_cast<const char*>(elements);
    attribute.bytes.assign(begin, begin + static_cast<size_t>(count) * size_of(type));
    for (int64_t i = 0; type == CUDNN_TYPE_BACKEND_DESCRIPTOR && i < count; ++i) {
      const DescriptorPointer child = find(static_cast<void* const*>(elements)[i]);
      if (!child || !child->finalized)
        return mistake(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "a child that is dead or not finalized");
      attribute.children.push_back(child);
    }
    d->attributes[name] = std::move(attribute);
    return CUDNN_STATUS_SUCCESS;
  });
}

cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t requested, int64_t* count,
                                       void* elements) {
  return with(descriptor, [&](const DescriptorPointer& d) {
    if (!d->finalized) return mistake(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "an attribute before finalize");
    if (name == CUDNN_ATTR_ENGINEHEUR_RESULTS) return give_results(*d, requested, count, elements);
    const Attribute& attribute = d->attributes.at(name);
    if (attribute.type != type) return mistake(CUDNN_STATUS_BAD_PARAM, "an attribute asked for as another type");
    if (type == CUDNN_TYPE_BACKEND_DESCRIPTOR) return give_child(attribute, count, elements);
    *count = std::min(requested, attribute.count);
    std::memcpy(elements, attribute.bytes.data(), static_cast<size_t>(*count) * size_of(type));
    return CUDNN_STATUS_SUCCESS;
  });
}

cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t descriptor) {
  return with(descriptor, [](const DescriptorPointer& d) { return finalize(*d); });
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan, cudnnBackendDescriptor_t pack) {
  return with(plan, [&](const DescriptorPointer& p) {
    const DescriptorPointer variables = find(pack);
    if (!variables || !variables->finalized || !p->finalized)
      return mistake(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "a plan or variant pack that is not finalized");
    return execute(handle->stream, *p, *variables);
  });
}

}  // extern "C"

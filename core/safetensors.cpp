#include "core/safetensors.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "core/atomic_file.h"
#include "core/json_unique.h"

static_assert(std::endian::native == std::endian::little, "safetensors data is little-endian");

namespace ghost {
namespace {

using Json = nlohmann::json;

constexpr int64_t kMaxHeader = 100'000'000;  // the reference implementation's limit
constexpr const char* kChecksums = "ghosttrain.checksums";
constexpr const char* kHeaderChecksum = "ghosttrain.header_checksum";
const std::string kBlankChecksum(32, '0');

constexpr std::array<std::pair<std::string_view, DType>, 7> kDTypes{{{"F32", DType::kFloat32},
                                                                     {"F64", DType::kFloat64},
                                                                     {"BF16", DType::kBFloat16},
                                                                     {"F16", DType::kFloat16},
                                                                     {"I32", DType::kInt32},
                                                                     {"I64", DType::kInt64},
                                                                     {"U8", DType::kUInt8}}};

std::string_view file_name_of(DType dtype) {
  for (const auto& [name, type] : kDTypes)
    if (type == dtype) return name;
  return "?";
}

std::string checksum(const void* data, size_t bytes) {
  const XXH128_hash_t hash = XXH3_128bits(data, bytes);
  char text[33];
  std::snprintf(text, sizeof(text), "%016llx%016llx", static_cast<unsigned long long>(hash.high64),
                static_cast<unsigned long long>(hash.low64));
  return text;
}

// The header's own checksum is taken with its place filled with zeros.
std::string header_checksum(std::string header) {
  const std::string key = std::string("\"") + kHeaderChecksum + "\":\"";
  const size_t place = header.find(key);
  if (place == std::string::npos || place + key.size() + kBlankChecksum.size() > header.size()) return {};
  header.replace(place + key.size(), kBlankChecksum.size(), kBlankChecksum);
  return checksum(header.data(), header.size());
}

Json parsed(const std::string& text, const std::string& path) {
  try {
    return parse_unique<Json>(
        text, [&](const std::string& key) { GHOST_FAIL(kWeights, path, ": the header names '", key, "' twice"); });
  } catch (const Json::exception& error) {
    GHOST_FAIL(kWeights, path, ": the header is not valid JSON (", error.what(),
               "); the file is damaged or not safetensors");
  }
}

void read_exactly(int file, void* target, int64_t bytes, int64_t offset, const std::string& path) {
  char* to = static_cast<char*>(target);
  while (bytes > 0) {
    const ssize_t got = pread(file, to, static_cast<size_t>(bytes), offset);
    if (got < 0 && errno == EINTR) continue;
    GHOST_CHECK_AS(kWeights, got >= 0, path, ": cannot be read: ", std::strerror(errno));
    GHOST_CHECK_AS(kWeights, got > 0, path, ": ends at byte ", offset, ", ", bytes,
                   " bytes too early; the file is truncated");
    to += got;
    offset += got;
    bytes -= got;
  }
}

int64_t non_negative(const Json& number, const std::string& path, const std::string& name) {
  GHOST_CHECK_AS(kWeights, number.is_number_unsigned() && number.get<uint64_t>() <= uint64_t{1} << 62, path,
                 ": tensor '", name, "' has ", number.dump(), " where a size is needed");
  return number.get<int64_t>();
}

}  // namespace

SafetensorsReader::SafetensorsReader(std::string path) : path_(std::move(path)) {
  file_ = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  GHOST_CHECK_AS(kWeights, file_ >= 0, path_, ": cannot be opened: ", std::strerror(errno));
  try {
    struct stat status {};
    GHOST_CHECK_AS(kWeights, fstat(file_, &status) == 0 && S_ISREG(status.st_mode), path_, ": is not a file");
    const int64_t size = status.st_size;
    GHOST_CHECK_AS(kWeights, size >= 8, path_, ": has ", size, " bytes; a safetensors file has at least 8");
    uint64_t header_size = 0;
    read_exactly(file_, &header_size, 8, 0, path_);
    GHOST_CHECK_AS(kWeights, header_size <= static_cast<uint64_t>(std::min(kMaxHeader, size - 8)), path_,
                   ": the header claims ", header_size, " bytes, the file has ", size,
                   "; it is truncated or not safetensors");
    std::string header(header_size, '\0');
    read_exactly(file_, header.data(), static_cast<int64_t>(header_size), 8, path_);
    data_start_ = 8 + static_cast<int64_t>(header_size);
    parse_header(header);
    check_layout(size - data_start_);
    take_checksums(header);
  } catch (...) {
    close(file_);
    throw;
  }
}

SafetensorsReader::~SafetensorsReader() { close(file_); }

void SafetensorsReader::parse_header(const std::string& header) {
  const Json json = parsed(header, path_);
  GHOST_CHECK_AS(kWeights, json.is_object(), path_, ": the header is not a JSON object");
  for (const auto& [name, value] : json.items()) {
    if (name == "__metadata__") {
      GHOST_CHECK_AS(kWeights, value.is_object(), path_, ": '__metadata__' is not an object");
      for (const auto& [key, text] : value.items()) {
        GHOST_CHECK_AS(kWeights, text.is_string(), path_, ": metadata '", key, "' is not a string");
        metadata_[key] = text.get<std::string>();
      }
      continue;
    }
    const bool whole = value.is_object() && value.size() == 3 && value.contains("dtype") &&
                       value["dtype"].is_string() && value.contains("shape") && value["shape"].is_array() &&
                       value.contains("data_offsets") && value["data_offsets"].is_array() &&
                       value["data_offsets"].size() == 2;
    GHOST_CHECK_AS(kWeights, whole, path_, ": tensor '", name, "' needs dtype, shape and two data_offsets, got ",
                   value.dump(-1, ' ', false, Json::error_handler_t::replace));
    const std::string dtype = value["dtype"];
    const auto known = std::find_if(kDTypes.begin(), kDTypes.end(), [&](const auto& d) { return d.first == dtype; });
    GHOST_CHECK_AS(kWeights, known != kDTypes.end(), path_, ": tensor '", name, "' has dtype '", dtype,
                   "'; F64, F32, F16, BF16, I64, I32 and U8 are read");
    GHOST_CHECK_AS(kWeights, value["shape"].size() <= Shape::kMaxRank, path_, ": tensor '", name, "' has ",
                   value["shape"].size(), " dimensions; at most ", Shape::kMaxRank, " are read");
    Entry entry{known->second, {}, 0, 0, {}};
    int64_t numel = 1;
    for (const Json& dim : value["shape"]) {
      entry.shape.push_back(non_negative(dim, path_, name));
      GHOST_CHECK_AS(kWeights, !__builtin_mul_overflow(numel, entry.shape[-1], &numel), path_, ": tensor '", name,
                     "' has an impossible shape ", entry.shape);
    }
    if (entry.shape.rank() == 0) entry.shape.push_back(1);
    entry.begin = non_negative(value["data_offsets"][0], path_, name);
    entry.end = non_negative(value["data_offsets"][1], path_, name);
    int64_t bytes = 0;
    GHOST_CHECK_AS(kWeights,
                   !__builtin_mul_overflow(numel, size_of(entry.dtype), &bytes) && entry.begin <= entry.end &&
                       entry.end - entry.begin == bytes,
                   path_, ": tensor '", name, "' of shape ", entry.shape, ' ', entry.dtype, " does not fill bytes [",
                   entry.begin, ", ", entry.end, ")");
    entries_[name] = entry;
  }
}

void SafetensorsReader::check_layout(int64_t data_size) const {
  std::vector<std::pair<std::string, const Entry*>> order;
  for (const auto& [name, entry] : entries_) order.emplace_back(name, &entry);
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return std::pair(a.second->begin, a.second->end) < std::pair(b.second->begin, b.second->end);
  });
  int64_t place = 0;
  for (const auto& [name, entry] : order) {
    GHOST_CHECK_AS(kWeights, entry->begin == place, path_, ": tensor '", name, "' starts at byte ", entry->begin,
                   ", but the one before it ends at ", place, "; tensors may not overlap or leave gaps");
    place = entry->end;
  }
  GHOST_CHECK_AS(kWeights, place == data_size, path_, ": the tensors need ", place, " bytes, the file has ", data_size,
                 place > data_size ? "; it is truncated" : "; there is something after the last tensor");
}

void SafetensorsReader::take_checksums(const std::string& header) {
  if (!metadata_.contains(kHeaderChecksum)) return;
  GHOST_CHECK_AS(kWeights, metadata_[kHeaderChecksum] == header_checksum(header), path_,
                 ": the header does not match its checksum; the file is damaged");
  const Json sums = parsed(metadata_[kChecksums], path_);
  has_checksums_ = true;
  for (auto& [name, entry] : entries_) {
    GHOST_CHECK_AS(kWeights, sums.is_object() && sums.contains(name) && sums[name].is_string(), path_, ": tensor '",
                   name, "' has no checksum");
    entry.checksum = sums[name];
  }
  metadata_.erase(kHeaderChecksum);
  metadata_.erase(kChecksums);
}

const SafetensorsReader::Entry& SafetensorsReader::entry(const std::string& name) const {
  const auto found = entries_.find(name);
  GHOST_CHECK_AS(kWeights, found != entries_.end(), path_, ": has no tensor '", name, "'");
  return found->second;
}

std::vector<std::string> SafetensorsReader::names() const {
  std::vector<std::string> result;
  for (const auto& [name, entry] : entries_) result.push_back(name);
  return result;
}

Shape SafetensorsReader::shape(const std::string& name) const { return entry(name).shape; }
DType SafetensorsReader::dtype(const std::string& name) const { return entry(name).dtype; }

Tensor SafetensorsReader::read(const std::string& name) const {
  const Entry& place = entry(name);
  Tensor tensor(place.shape, {place.dtype, Device::cpu()});
  const int64_t bytes = place.end - place.begin;
  read_exactly(file_, tensor.raw_data(), bytes, data_start_ + place.begin, path_);
  GHOST_CHECK_AS(kWeights,
                 place.checksum.empty() || place.checksum == checksum(tensor.raw_data(), static_cast<size_t>(bytes)),
                 path_, ": tensor '", name, "' does not match its checksum; the file is damaged");
  return tensor;
}

void write_safetensors(const std::string& path, const std::vector<NamedTensor>& tensors,
                       const std::map<std::string, std::string>& metadata,
                       const std::function<void(const std::string& file)>& check) {
  Json header = Json::object(), sums = Json::object();
  std::vector<Tensor> dense;
  int64_t place = 0;
  for (const auto& [name, tensor] : tensors) {
    GHOST_ASSERT(!name.empty() && name != "__metadata__" && !header.contains(name), "tensor name '", name, "'");
    const Tensor on_host = tensor.to(Device::cpu());
    dense.push_back(on_host.contiguous() ? on_host : on_host.clone());
    const int64_t bytes = tensor.numel() * size_of(tensor.dtype());
    header[name] = {{"dtype", file_name_of(tensor.dtype())},
                    {"shape", std::vector<int64_t>(tensor.shape().begin(), tensor.shape().end())},
                    {"data_offsets", {place, place + bytes}}};
    sums[name] = checksum(dense.back().raw_data(), static_cast<size_t>(bytes));
    place += bytes;
  }
  Json texts = metadata;
  texts[kChecksums] = sums.dump();
  texts[kHeaderChecksum] = kBlankChecksum;
  header["__metadata__"] = texts;
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');  // keeps the data 8-byte aligned, as the reference writer does
  const std::string sum = header_checksum(text);
  const std::string key = std::string("\"") + kHeaderChecksum + "\":\"";
  text.replace(text.find(key) + key.size(), sum.size(), sum);

  AtomicFile file(path, 8 + static_cast<int64_t>(text.size()) + place);
  const uint64_t size = text.size();
  file.write(&size, sizeof(size));
  file.write(text.data(), text.size());
  for (const Tensor& tensor : dense)
    file.write(tensor.raw_data(), static_cast<size_t>(tensor.numel() * size_of(tensor.dtype())));
  if (check) check(file.temporary_path());
  file.commit();
}

}  // namespace ghost

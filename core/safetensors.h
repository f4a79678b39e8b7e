// The safetensors file format (github.com/huggingface/safetensors): 8 bytes little-endian header length, a JSON header,
// raw little-endian data. The reader is strict: header size, duplicate keys, dtypes, shapes against sizes, offsets that
// overlap or leave gaps, and the file's end are all checked before a tensor is touched. Errors are kWeights and name
// file and tensor.
//
// Files written here also carry a checksum (XXH3, 128 bits) of each tensor and one of the header, in the format's own
// free-text metadata, so other readers open them as usual.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/tensor.h"

namespace ghost {

class SafetensorsReader {
 public:
  // Reads and checks the header; checks the header's checksum where there is one.
  explicit SafetensorsReader(std::string path);
  ~SafetensorsReader();
  SafetensorsReader(const SafetensorsReader&) = delete;
  SafetensorsReader& operator=(const SafetensorsReader&) = delete;

  const std::string& path() const { return path_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  std::vector<std::string> names() const;  // sorted
  bool has(const std::string& name) const { return entries_.contains(name); }
  // "[16, 3, 3, 3] float32": for lists and messages.
  Shape shape(const std::string& name) const;
  DType dtype(const std::string& name) const;
  // A CPU tensor; its checksum is verified where the file has one. A scalar comes as shape [1].
  Tensor read(const std::string& name) const;
  // Whether the file has checksums of the header and of every tensor. Checkpoints must.
  bool has_checksums() const { return has_checksums_; }

 private:
  struct Entry {
    DType dtype;
    Shape shape;
    int64_t begin, end;  // bytes, from the data's start
    std::string checksum;
  };
  void parse_header(const std::string& header);
  void check_layout(int64_t data_size) const;
  void take_checksums(const std::string& header);
  const Entry& entry(const std::string& name) const;

  std::string path_;
  int file_ = -1;
  int64_t data_start_ = 0;
  std::map<std::string, Entry> entries_;
  std::map<std::string, std::string> metadata_;
  bool has_checksums_ = false;
};

// Writes all or nothing (core/atomic_file.h). Names are unique and not empty; tensors may live on any device, have any
// pitch. check(file) may read the whole file back before it gets its name; what it throws leaves the old one.
void write_safetensors(const std::string& path, const std::vector<NamedTensor>& tensors,
                       const std::map<std::string, std::string>& metadata = {},
                       const std::function<void(const std::string& file)>& check = {});

}  // namespace ghost

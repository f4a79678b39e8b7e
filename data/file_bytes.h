// Whole files in and out.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace ghost {

// Reads a file into `bytes`, whose memory is reused. Throws kData with the path and the system's reason: not there, no
// permission, a folder, larger than max_bytes.
void read_file(const std::string& path, std::vector<uint8_t>& bytes, int64_t max_bytes = int64_t{1} << 30);

// Writes a file whole; throws kDisk with the path and the system's reason.
void write_file(const std::string& path, std::span<const uint8_t> bytes);

}  // namespace ghost

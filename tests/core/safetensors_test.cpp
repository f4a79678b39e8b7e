#include "core/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "tests/support/temp_folder.h"

namespace ghost {
namespace {

using testing::HasSubstr;

// By process: tests run several at a time.
std::string temporary(const std::string& name) {
  return (std::filesystem::path(testing::TempDir()) / (std::to_string(getpid()) + name)).string();
}

void spit(const std::string& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

// A file from a hand-written header and data.
std::string file_with(const std::string& header, const std::string& data) {
  const std::string path = temporary("hand.safetensors");
  const uint64_t size = header.size();
  spit(path, std::string(reinterpret_cast<const char*>(&size), 8) + header + data);
  return path;
}

std::string refusal(const std::string& path) {
  try {
    const SafetensorsReader file(path);
    for (const std::string& name : file.names()) file.read(name);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kWeights) << error.what();
    return error.what();
  }
  return "accepted";
}

std::vector<NamedTensor> sample_tensors() {
  const Tensor wide = Tensor::from<float>({1, 2, 3, 4, 5, 6, 7, 8}, {2, 4});
  return {{"a.weight", Tensor::from<float>({1.5f, -2, 3, 4, 5, 6}, {2, 3})},
          {"a.view", wide.channels(1, 2)},
          {"b", Tensor::from<int64_t>({7, -9}, {2})},
          {"empty", Tensor(Shape{0, 3})},
          {"pixels", Tensor::from<uint8_t>({0, 255, 3}, {3})}};
}

TEST(Safetensors, RoundTrip) {
  const std::string path = temporary("round.safetensors");
  write_safetensors(path, sample_tensors(), {{"note", "a \"quoted\" text"}});
  const SafetensorsReader file(path);
  EXPECT_TRUE(file.has_checksums());
  EXPECT_EQ(file.metadata().at("note"), "a \"quoted\" text");
  EXPECT_EQ(file.metadata().size(), 1u);
  EXPECT_EQ(file.names().size(), 5u);
  for (const NamedTensor& tensor : sample_tensors()) {
    EXPECT_EQ(file.shape(tensor.name), tensor.tensor.shape());
    EXPECT_EQ(file.read(tensor.name).to_vector(), tensor.tensor.to_vector()) << tensor.name;
  }
  EXPECT_EQ(file.read("a.view").to_vector(), (std::vector<double>{2, 3, 6, 7}));
}

TEST(Safetensors, EveryTruncationIsRefused) {
  const std::string path = temporary("cut.safetensors");
  write_safetensors(path, sample_tensors());
  const std::string whole = test::bytes_of(path);
  for (size_t length = 0; length < whole.size(); ++length) {
    spit(path, whole.substr(0, length));
    EXPECT_THAT(refusal(path), HasSubstr(path)) << length;
  }
}

TEST(Safetensors, EveryFlippedByteIsRefusedOrLosesTheChecksums) {
  const std::string path = temporary("flip.safetensors");
  write_safetensors(path, sample_tensors());
  const std::string whole = test::bytes_of(path);
  uint64_t header_size = 0;
  std::memcpy(&header_size, whole.data(), 8);
  for (size_t place = 0; place < whole.size(); ++place) {
    std::string damaged = whole;
    damaged[place] = static_cast<char>(damaged[place] ^ 0x10);
    spit(path, damaged);
    const std::string message = refusal(path);
    if (message == "accepted") {
      // Only the name of the header's checksum can be hit so; a checkpoint without checksums is refused by its reader.
      EXPECT_FALSE(SafetensorsReader(path).has_checksums()) << place;
    } else if (place >= 8 + header_size) {
      EXPECT_THAT(message, HasSubstr("tensor '")) << place;
    }
  }
}

TEST(Safetensors, ReadsAPlainFile) {
  const std::string path =
      file_with(R"({"x":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})", std::string("\0\0\x80\x3f", 4));
  const SafetensorsReader file(path);
  EXPECT_FALSE(file.has_checksums());
  EXPECT_EQ(file.read("x").item(), 1.0);
}

TEST(Safetensors, RefusesBadHeaders) {
  const auto with = [](const std::string& header, size_t data) {
    return refusal(file_with(header, std::string(data, '\0')));
  };
  EXPECT_THAT(with("{", 0), HasSubstr("not valid JSON"));
  EXPECT_THAT(with("[]", 0), HasSubstr("not a JSON object"));
  EXPECT_THAT(
      with(
          R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
          4),
      HasSubstr("'x' twice"));
  EXPECT_THAT(with(R"({"x":{"dtype":"F8","shape":[1],"data_offsets":[0,1]}})", 1), HasSubstr("dtype 'F8'"));
  EXPECT_THAT(with(R"({"x":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4),
              HasSubstr("where a size is needed"));
  EXPECT_THAT(with(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4), HasSubstr("does not fill"));
  EXPECT_THAT(with(R"({"x":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}})", 4),
              HasSubstr("'x'"));
  EXPECT_THAT(with(R"({"x":{"dtype":"F32","shape":[1,1,1,1,1],"data_offsets":[0,4]}})", 4), HasSubstr("5 dimensions"));
  EXPECT_THAT(with(R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8),
              HasSubstr("may not overlap or leave gaps"));
  EXPECT_THAT(
      with(
          R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"y":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
          4),
      HasSubstr("may not overlap"));
  EXPECT_THAT(with(R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 8), HasSubstr("after the last tensor"));
  EXPECT_THAT(with(R"({"__metadata__":{"k":3}})", 0), HasSubstr("not a string"));
  EXPECT_THAT(refusal(temporary("absent.safetensors")), HasSubstr("cannot be opened"));
  spit(temporary("huge.safetensors"), std::string(16, '\xff'));
  EXPECT_THAT(refusal(temporary("huge.safetensors")), HasSubstr("the header claims"));
}

}  // namespace
}  // namespace ghost

// Fashion-MNIST (Xiao et al. 2017; 60,000 + 10,000 grey pictures of 28x28, 10 classes) from its IDX files to class
// folders: DST/train/<class>/00001.png, DST/val/<class>/00001.png.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace ghost {

constexpr std::array<const char*, 10> kFashionClasses{"t-shirt_top", "trouser", "pullover", "dress", "coat",
                                                      "sandal",      "shirt",   "sneaker",  "bag",   "ankle_boot"};

// An IDX file of bytes (http://yann.lecun.com/exdb/mnist): its dimensions and its values.
struct IdxFile {
  std::vector<int64_t> shape;
  std::vector<uint8_t> values;
};
// Reads plain or gzip-compressed. Throws kData with the file: no IDX header, not bytes, shorter or longer than its
// header says, a damaged gzip stream.
IdxFile read_idx(const std::string& path);

// One of the two parts, with the pictures that a limit per class leaves.
struct FashionSplit {
  IdxFile images, labels;
  std::vector<int64_t> picked;   // which pictures
  std::vector<int64_t> numbers;  // their running number in their class, from 1
};
// `prefix` is "train" or "t10k"; per_class 0 is all. Throws kData where a file is missing or does not fit the other.
FashionSplit read_fashion_split(const std::string& source, const std::string& prefix, int64_t per_class = 0);

struct FashionMnistOptions {
  std::string source;           // folder of the four files, e.g. /usr/share/datasets/fashion-mnist
  std::string destination;      // must not exist, or be empty, or hold a finished conversion
  int64_t train_per_class = 0;  // at most so many pictures of each class, 0 is all
  int64_t val_per_class = 0;
};
struct FashionMnistResult {
  int64_t train = 0, val = 0;  // pictures
  bool existed = false;        // a finished conversion was there and nothing was done
};

// Writes into DST.partial and renames at the end, so DST is whole or not there; a part that a killed run left is
// removed. Throws kData for bad source files and for a destination that holds something else (or another limit), kDisk
// when a file cannot be written.
FashionMnistResult convert_fashion_mnist(const FashionMnistOptions& options);

}  // namespace ghost

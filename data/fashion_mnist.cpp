#include "data/fashion_mnist.h"

#include <zlib.h>

#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/parallel.h"
#include "data/file_bytes.h"
#include "data/image_write.h"
#include "data/new_folder.h"

namespace ghost {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMarker = "fashion-mnist.json";  // in DST: written last, says that all is there
constexpr int64_t kMaxValues = int64_t{1} << 30;

bool there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

void write_split(const FashionSplit& split, const fs::path& folder) {
  for (const char* name : kFashionClasses) make_folder(folder / name);
  const int64_t side = split.images.shape[1], size = side * side;
  parallel_chunks(static_cast<int64_t>(split.picked.size()), 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t picture = split.picked[static_cast<size_t>(i)];
      char name[32];
      std::snprintf(name, sizeof(name), "%05lld.png", static_cast<long long>(split.numbers[static_cast<size_t>(i)]));
      const std::span<const uint8_t> values(split.images.values.data() + picture * size, static_cast<size_t>(size));
      const char* label = kFashionClasses[split.labels.values[static_cast<size_t>(picture)]];
      write_file((folder / label / name).string(),
                 encode_grey_png(values, static_cast<int>(side), static_cast<int>(side)));
    }
  });
}

// A finished conversion in `folder`, or null.
nlohmann::json read_marker(const fs::path& folder) {
  if (!there(folder / kMarker)) return nullptr;
  std::vector<uint8_t> bytes;
  read_file((folder / kMarker).string(), bytes);
  nlohmann::json marker = nlohmann::json::parse(bytes, nullptr, false);
  return marker.is_object() ? marker : nlohmann::json();
}

// Whether the conversion is there already. Throws when the destination holds something else.
bool finished_before(const FashionMnistOptions& options, FashionMnistResult& result) {
  const fs::path folder = options.destination;
  if (!there(folder)) return false;
  std::error_code error;
  GHOST_CHECK_AS(kData, fs::is_directory(folder, error), "'", folder.string(), "' is not a folder");
  if (fs::is_empty(folder, error)) return false;
  const nlohmann::json marker = read_marker(folder);
  GHOST_CHECK_AS(kData, marker.is_object(), "'", folder.string(),
                 "' is not empty and holds no finished Fashion-MNIST conversion. Name another folder");
  GHOST_CHECK_AS(kData,
                 marker.value("train_per_class", int64_t{-1}) == options.train_per_class &&
                     marker.value("val_per_class", int64_t{-1}) == options.val_per_class,
                 "'", folder.string(), "' holds Fashion-MNIST with other limits per class (train ",
                 marker.value("train_per_class", int64_t{-1}), ", val ", marker.value("val_per_class", int64_t{-1}),
                 "; 0 is all). Remove it or name another folder");
  result = {marker.value("train", int64_t{0}), marker.value("val", int64_t{0}), true};
  return true;
}

}  // namespace

IdxFile read_idx(const std::string& path) {
  struct Close {
    void operator()(gzFile file) const { gzclose(file); }
  };
  // gzread passes plain files through.
  const std::unique_ptr<gzFile_s, Close> file(gzopen(path.c_str(), "rb"));
  GHOST_CHECK_AS(kData, file != nullptr, "cannot open '", path, "'");
  const auto read = [&](uint8_t* to, int64_t count) {
    const int got = gzread(file.get(), to, static_cast<unsigned>(count));
    int code = 0;
    const char* reason = gzerror(file.get(), &code);
    GHOST_CHECK_AS(kData, got >= 0 && (code == Z_OK || code == Z_STREAM_END), "'", path, "' is damaged: ", reason);
    return int64_t{got};
  };
  std::array<uint8_t, 4> word{};
  const auto read_word = [&] {
    GHOST_CHECK_AS(kData, read(word.data(), 4) == 4, "'", path, "' ends inside its header");
    return int64_t{word[0]} << 24 | int64_t{word[1]} << 16 | int64_t{word[2]} << 8 | int64_t{word[3]};
  };
  const int64_t magic = read_word();
  GHOST_CHECK_AS(kData, magic >> 8 == 0x08 && (magic & 0xFF) >= 1 && (magic & 0xFF) <= 4, "'", path,
                 "' is no IDX file of bytes: it begins with ", magic, ", needs 2049 (labels) or 2051 (pictures)");
  IdxFile idx;
  int64_t count = 1;
  for (int64_t i = 0; i < (magic & 0xFF); ++i) {
    idx.shape.push_back(read_word());
    GHOST_CHECK_AS(kData, idx.shape.back() <= kMaxValues / std::max<int64_t>(count, 1), "'", path,
                   "' says it holds more than ", kMaxValues, " values");
    count *= idx.shape.back();
  }
  idx.values.resize(static_cast<size_t>(count));
  const int64_t got = read(idx.values.data(), count);
  GHOST_CHECK_AS(kData, got == count, "'", path, "' holds ", got, " values, its header says ", count);
  GHOST_CHECK_AS(kData, read(word.data(), 1) == 0, "'", path, "' holds more than the ", count,
                 " values that its header says");
  return idx;
}

FashionSplit read_fashion_split(const std::string& source, const std::string& prefix, int64_t per_class) {
  const fs::path folder = source;
  const auto find = [&](const std::string& name) {
    for (const char* ending : {"", ".gz"})
      if (there(folder / (name + ending))) return (folder / (name + ending)).string();
    GHOST_FAIL(kData, "there is no '", name, "' or '", name, ".gz' in '", folder.string(),
               "'. Debian's package dataset-fashion-mnist puts them into /usr/share/datasets/fashion-mnist");
  };
  FashionSplit split{
      read_idx(find(prefix + "-images-idx3-ubyte")), read_idx(find(prefix + "-labels-idx1-ubyte")), {}, {}};
  const std::vector<int64_t>& shape = split.images.shape;
  GHOST_CHECK_AS(kData, shape.size() == 3 && shape[1] == 28 && shape[2] == 28, "'", prefix, "-images' in '",
                 folder.string(), "' does not hold pictures of 28x28");
  GHOST_CHECK_AS(kData, split.labels.shape.size() == 1 && split.labels.shape[0] == shape[0], "'", prefix, "' in '",
                 folder.string(), "' has ", shape[0], " pictures but ", split.labels.values.size(), " labels");
  std::array<int64_t, kFashionClasses.size()> counts{};
  for (int64_t i = 0; i < shape[0]; ++i) {
    const size_t label = split.labels.values[static_cast<size_t>(i)];
    GHOST_CHECK_AS(kData, label < counts.size(), "label ", label, " of picture ", i, " in '", prefix,
                   "' is not in 0..9");
    if (per_class > 0 && counts[label] == per_class) continue;
    split.picked.push_back(i);
    split.numbers.push_back(++counts[label]);
  }
  return split;
}

FashionMnistResult convert_fashion_mnist(const FashionMnistOptions& options) {
  GHOST_CHECK(options.train_per_class >= 0 && options.val_per_class >= 0, "the limits per class are not negative, got ",
              options.train_per_class, " and ", options.val_per_class);
  GHOST_CHECK(!options.destination.empty(), "the destination folder is missing");
  FashionMnistResult result;
  if (finished_before(options, result)) return result;
  const FashionSplit train = read_fashion_split(options.source, "train", options.train_per_class);
  const FashionSplit val = read_fashion_split(options.source, "t10k", options.val_per_class);
  result = {static_cast<int64_t>(train.picked.size()), static_cast<int64_t>(val.picked.size()), false};

  NewFolder folder(options.destination);
  const fs::path& partial = folder.partial();
  write_split(train, partial / "train");
  write_split(val, partial / "val");
  const nlohmann::json marker{{"train", result.train},
                              {"val", result.val},
                              {"train_per_class", options.train_per_class},
                              {"val_per_class", options.val_per_class}};
  const std::string text = marker.dump(2) + "\n";
  write_file((partial / kMarker).string(), {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  folder.commit();
  return result;
}

}  // namespace ghost

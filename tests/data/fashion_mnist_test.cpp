#include "data/fashion_mnist.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "data/decode.h"
#include "data/image_folder.h"
#include "exif_bytes.h"
#include "pictures.h"

namespace ghost {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using Bytes = std::vector<uint8_t>;

Bytes idx(const std::vector<uint32_t>& shape, const Bytes& values) {
  Bytes bytes;
  append_big32(bytes, 0x0800u + static_cast<uint32_t>(shape.size()));
  for (const uint32_t size : shape) append_big32(bytes, size);
  bytes.insert(bytes.end(), values.begin(), values.end());
  return bytes;
}

void write_gz(const std::string& path, const Bytes& bytes) {
  gzFile file = gzopen(path.c_str(), "wb");
  ASSERT_EQ(gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())), static_cast<int>(bytes.size()));
  ASSERT_EQ(gzclose(file), Z_OK);
}

// `count` pictures; number i is of class i % 10 and grey level i.
void write_source(const TempFolder& temp, const std::string& prefix, uint32_t count, bool gz) {
  Bytes labels, values;
  for (uint32_t i = 0; i < count; ++i) {
    labels.push_back(static_cast<uint8_t>(i % 10));
    values.insert(values.end(), 28 * 28, static_cast<uint8_t>(i));
  }
  for (const auto& [name, bytes] : {std::pair{"-images-idx3-ubyte", idx({count, 28, 28}, values)},
                                    std::pair{"-labels-idx1-ubyte", idx({count}, labels)}}) {
    if (gz)
      write_gz(temp.path("source/" + prefix + name + ".gz"), bytes);
    else
      temp.write("source/" + prefix + name, bytes);
  }
}

class FashionMnist : public testing::Test {
 protected:
  FashionMnist() {
    fs::create_directories(temp.path("source"));
    write_source(temp, "train", 60, true);
    write_source(temp, "t10k", 20, false);
  }
  FashionMnistOptions options() const {
    return {.source = temp.path("source"), .destination = temp.path("out/fashion")};
  }
  std::string message() const {
    return error_message(ErrorKind::kData, [&] { convert_fashion_mnist(options()); });
  }
  TempFolder temp;
};

TEST_F(FashionMnist, MakesClassFolders) {
  const FashionMnistResult result = convert_fashion_mnist(options());
  EXPECT_EQ(result.train, 60);
  EXPECT_EQ(result.val, 20);
  EXPECT_FALSE(result.existed);
  const ImageFolder train = open_training_folder(temp.path("out/fashion/train"));
  EXPECT_EQ(train.classes.size(), 10u);
  EXPECT_EQ(train.counts, std::vector<int64_t>(10, 6));
  EXPECT_EQ(open_evaluation_folder(temp.path("out/fashion/val"), train.classes).samples.size(), 20u);
  const Image coat = read_image(temp.path("out/fashion/train/coat/00003.png"));
  EXPECT_EQ(coat.width, 28);
  EXPECT_EQ(coat.at(5, 5)[0], 24);  // the third of class 4 is number 24
  EXPECT_FALSE(fs::exists(temp.path("out/fashion.partial")));
}

TEST_F(FashionMnist, DoneTwiceDoesNothing) {
  convert_fashion_mnist(options());
  fs::remove(temp.path("out/fashion/train/coat/00003.png"));
  const FashionMnistResult again = convert_fashion_mnist(options());
  EXPECT_TRUE(again.existed);
  EXPECT_EQ(again.train, 60);
  EXPECT_FALSE(fs::exists(temp.path("out/fashion/train/coat/00003.png")));
  FashionMnistOptions other = options();
  other.train_per_class = 2;
  EXPECT_THAT(error_message(ErrorKind::kData, [&] { convert_fashion_mnist(other); }), HasSubstr("other limits"));
}

TEST_F(FashionMnist, LimitPerClass) {
  FashionMnistOptions limited = options();
  limited.train_per_class = 2;
  limited.val_per_class = 1;
  const FashionMnistResult result = convert_fashion_mnist(limited);
  EXPECT_EQ(result.train, 20);
  EXPECT_EQ(result.val, 10);
  EXPECT_TRUE(fs::exists(temp.path("out/fashion/train/bag/00002.png")));
  EXPECT_FALSE(fs::exists(temp.path("out/fashion/train/bag/00003.png")));
}

TEST_F(FashionMnist, KeepsWhatIsThere) {
  temp.write_text("out/fashion/mine.txt", "precious");
  EXPECT_THAT(message(), HasSubstr("is not empty"));
  EXPECT_TRUE(fs::exists(temp.path("out/fashion/mine.txt")));
}

TEST_F(FashionMnist, RemovesThePartOfAKilledRun) {
  temp.write_text("out/fashion.partial/train/coat/half.png", "x");
  fs::create_directories(temp.path("out/fashion"));
  EXPECT_EQ(convert_fashion_mnist(options()).train, 60);
  EXPECT_FALSE(fs::exists(temp.path("out/fashion/train/coat/half.png")));
}

TEST_F(FashionMnist, BadSourcesAreNamed) {
  const std::string labels = "source/t10k-labels-idx1-ubyte";
  temp.write(labels, idx({20}, Bytes(19, 1)));
  EXPECT_THAT(message(), testing::AllOf(HasSubstr("t10k-labels"), HasSubstr("19 values, its header says 20")));
  temp.write(labels, idx({20}, Bytes(21, 1)));
  EXPECT_THAT(message(), HasSubstr("more than the 20"));
  temp.write(labels, idx({19}, Bytes(19, 1)));
  EXPECT_THAT(message(), HasSubstr("20 pictures but 19 labels"));
  temp.write(labels, idx({20}, Bytes(20, 10)));
  EXPECT_THAT(message(), HasSubstr("label 10"));
  temp.write(labels, Bytes(100, 'x'));
  EXPECT_THAT(message(), HasSubstr("no IDX file"));
  temp.write(labels, Bytes{0, 0, 8});
  EXPECT_THAT(message(), HasSubstr("ends inside its header"));
  temp.write(labels, idx({0xFFFFFFFFu, 0xFFFFFFFFu, 2}, {}));
  EXPECT_THAT(message(), HasSubstr("says it holds more than"));
  fs::remove(temp.path(labels));
  EXPECT_THAT(message(), HasSubstr("dataset-fashion-mnist"));
  EXPECT_FALSE(fs::exists(temp.path("out/fashion")));
}

TEST_F(FashionMnist, DamagedGzipIsNamed) {
  const std::string path = temp.path("source/train-labels-idx1-ubyte.gz");
  Bytes bytes;
  read_file(path, bytes);
  bytes[bytes.size() / 2] ^= 0x55;
  write_file(path, bytes);
  EXPECT_THAT(message(), HasSubstr("train-labels-idx1-ubyte.gz"));
}

}  // namespace
}  // namespace ghost

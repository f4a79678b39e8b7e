#include "train/gpu_device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "tests/support/temp_folder.h"

namespace ghost {
namespace {

using testing::AllOf;
using testing::HasSubstr;

nlohmann::ordered_json h100() { return nlohmann::ordered_json::parse(gpu_json("h100")); }

std::string refusal(const std::string& text) {
  try {
    const test::TempFolder temp;
    load_gpu(temp.write_text("device.json", text), "fp32");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    return error.message();
  }
  return "taken";
}

// What the maker publishes of a card (docs/cuda.md has the sources). Bandwidth and peaks follow from clocks, units and
// bus, so that a slip in either shows.
struct Published {
  const char *name, *device;
  int capability, multiprocessors, lanes;  // lanes: fp32 units of a multiprocessor
  int tensor_products;                     // of 16-bit numbers with fp32 sums, a multiprocessor and clock, dense
  double clock, tensor_clock;              // boost, GHz
  double memory_clock, bus_bytes;          // GHz, two transfers a clock
  int64_t memory, l2, shared;              // GB as sold, MiB, KiB a block may ask for
  int threads, blocks;                     // of a multiprocessor at once
};
constexpr Published kPublished[] = {
    {"h100", "NVIDIA H100 80GB HBM3", 900, 132, 128, 2048, 1.98, 1.83, 2.619, 640, 80, 50, 227, 2048, 32},
    {"a100", "NVIDIA A100-SXM4-80GB", 800, 108, 64, 1024, 1.41, 1.41, 1.593, 640, 80, 40, 163, 2048, 32},
    {"rtx4090", "NVIDIA GeForce RTX 4090", 890, 128, 128, 256, 2.52, 2.52, 10.501, 48, 24, 72, 99, 1536, 24},
    {"rtx5090", "NVIDIA GeForce RTX 5090", 1200, 170, 128, 256, 2.407, 2.407, 14.001, 64, 32, 96, 99, 1536, 24}};

TEST(GpuDevice, BuiltInCardsAreWhatTheirMakerPublishes) {
  ASSERT_EQ(gpu_names().size(), std::size(kPublished));
  for (const Published& card : kPublished) {
    SCOPED_TRACE(card.name);
    const GpuDevice bf16 = load_gpu(card.name, "bf16"), tf32 = load_gpu(card.name, "tf32");
    const GpuDevice fp16 = load_gpu(card.name, "fp16"), fp32 = load_gpu(card.name, "fp32");
    EXPECT_EQ(fp32.name, card.device);
    // Gigabytes on a data sheet are 1e9 or 2^30; what is left of them is what the runtime reports.
    EXPECT_NEAR(static_cast<double>(fp32.memory), 1.06e9 * static_cast<double>(card.memory), 0.01 * 85e9);
    EXPECT_NEAR(fp32.bandwidth, 2e9 * card.memory_clock * card.bus_bytes, 1e-3 * fp32.bandwidth);
    EXPECT_NEAR(fp32.fp32_flops, 2e9 * card.multiprocessors * card.lanes * card.clock, 2e-3 * fp32.fp32_flops);
    EXPECT_EQ(fp32.tensor_flops, fp32.fp32_flops);
    EXPECT_NEAR(bf16.tensor_flops, 2e9 * card.multiprocessors * card.tensor_products * card.tensor_clock,
                2e-3 * bf16.tensor_flops);
    EXPECT_EQ(fp16.tensor_flops, bf16.tensor_flops);
    EXPECT_NEAR(tf32.tensor_flops, bf16.tensor_flops / 2, 1e-3 * tf32.tensor_flops);

    const auto properties = nlohmann::json::parse(fp32.properties);
    EXPECT_EQ(properties.size(), 23u);  // what cuDNN asks for, and no more
    EXPECT_EQ(properties["deviceVer"], card.capability);
    EXPECT_EQ(properties["multiProcessorCount"], card.multiprocessors);
    EXPECT_EQ(properties["l2CacheSize"], card.l2 << 20);
    EXPECT_EQ(properties["maxSharedMemoryPerBlockOptin"], card.shared << 10);
    EXPECT_EQ(properties["maxThreadsPerSM"], card.threads);
    EXPECT_EQ(properties["maxCtasPerSM"], card.blocks);
    EXPECT_NEAR(properties["smClockRateKHz"].get<double>(), 1e6 * card.clock, 1);
    EXPECT_NEAR(properties["memClockRateKHz"].get<double>(), 1e6 * card.memory_clock, 1);
  }
}

TEST(GpuDevice, AFileOfTheSameForm) {
  nlohmann::ordered_json json = h100();
  json["deviceName"] = "half a card";
  json["totalGlobalMem"] = 40000000000;
  json["memoryBandwidth"] = 1000000000000;  // a whole number will do
  const test::TempFolder temp;
  const GpuDevice gpu = load_gpu(temp.write_text("half.json", json.dump()), "fp32");
  EXPECT_EQ(gpu.name, "half a card");
  EXPECT_EQ(gpu.memory, 40000000000);
  EXPECT_EQ(gpu.bandwidth, 1e12);
  EXPECT_THAT(gpu.properties, AllOf(HasSubstr("half a card"), testing::Not(HasSubstr("memoryBandwidth"))));
}

TEST(GpuDevice, RefusesWithTheKeysName) {
  nlohmann::ordered_json json = h100();
  json["multiProcesorCount"] = 1;
  EXPECT_THAT(refusal(json.dump()),
              AllOf(HasSubstr("device.json: unknown key 'multiProcesorCount'"), HasSubstr("'multiProcessorCount'")));
  json = h100();
  json["peakFlops"]["fp8"] = 1e15;
  EXPECT_THAT(refusal(json.dump()), HasSubstr("unknown key 'peakFlops.fp8'"));
  json = h100();
  json.erase("l2CacheSize");
  EXPECT_THAT(refusal(json.dump()), HasSubstr("key 'l2CacheSize' is missing"));
  json = h100();
  json["peakFlops"].erase("bf16");
  EXPECT_THAT(refusal(json.dump()), HasSubstr("key 'peakFlops.bf16' is missing"));
}

TEST(GpuDevice, RefusesWrongValues) {
  const auto with = [](const char* key, const nlohmann::ordered_json& value) {
    nlohmann::ordered_json json = h100();
    json[key] = value;
    return refusal(json.dump());
  };
  EXPECT_THAT(with("warpSize", "32"), HasSubstr("warpSize is \"32\", it must be a whole number"));
  EXPECT_THAT(with("warpSize", 3.5), HasSubstr("warpSize is 3.5"));
  EXPECT_THAT(with("totalGlobalMem", -1), HasSubstr("totalGlobalMem is -1"));
  EXPECT_THAT(with("memoryBandwidth", 0), HasSubstr("a number above 0"));
  EXPECT_THAT(with("maxGridSize", {1, 2}), HasSubstr("a list of 3 whole numbers"));
  EXPECT_THAT(with("maxGridSize", {1, 2, "3"}), HasSubstr("a list of 3 whole numbers"));
  EXPECT_THAT(with("deviceName", 7), HasSubstr("a text"));
  EXPECT_THAT(with("peakFlops", 7), HasSubstr("peakFlops must be an object"));
}

TEST(GpuDevice, RefusesDamage) {
  EXPECT_THAT(refusal(""), HasSubstr("no valid JSON"));
  EXPECT_THAT(refusal("[1]"), HasSubstr("a device must be an object"));
  EXPECT_THAT(refusal(std::string(gpu_json("h100")).substr(0, 300)), HasSubstr("no valid JSON"));
  std::string twice(gpu_json("h100"));
  twice.insert(1, "\"warpSize\": 16,");
  EXPECT_THAT(refusal(twice), HasSubstr("key 'warpSize' stands there twice"));
  EXPECT_THROW(load_gpu("no/such/file.json", "fp32"), Error);
}

TEST(GpuDevice, UnknownNames) {
  try {
    load_gpu("h10", "fp32");
    FAIL() << "h10 is no card";
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), AllOf(HasSubstr("did you mean 'h100'"), HasSubstr("h100, a100, rtx4090, rtx5090")));
  }
}

}  // namespace
}  // namespace ghost

// Uploads and graphs by themselves: a wait that is missing and a number that was recorded with a launch show.
#include "core/work_graphs.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/allocator.h"
#include "core/cuda.h"
#include "core/upload.h"
#include "kernels/dropout.h"
#include "kernels/optimizer_step.h"
#include "tests/standin/mistakes.h"
#include "tests/standin/standin.h"
#include "tests/support/random_tensor.h"

namespace ghost::standin {
namespace {

Device gpu() { return Device::cuda(); }

Tensor ints(int64_t count, int64_t value) {
  return Tensor::from(std::vector<int64_t>(static_cast<size_t>(count), value), {count});
}

// Sends batches of growing numbers, takes each where the device's work reads it, and looks at all of them at the end.
// Returns whether they are what was sent.
bool batches_arrive(const Settings& settings) {
  set(settings);
  bool right = true;
  {
    BatchUpload upload(gpu());
    std::vector<std::vector<Tensor>> seen;
    for (int64_t i = 0; i < 9; ++i) {
      const int64_t longer = i % 4 < 2 ? 5 : 0;  // two shapes
      const Tensor numbers = Tensor::full({3 + longer, 2}, static_cast<double>(i)), labels = ints(70, 100 * i);
      std::vector<Tensor> here;
      for (const Tensor& part : upload.send({numbers, labels, Tensor({0, 4})})) here.push_back(part.clone());
      numbers.fill(-1);  // has been read
      labels.fill(-1);
      seen.push_back(here);
    }
    set({});
    for (int64_t i = 0; i < 9; ++i) {
      const std::vector<Tensor>& batch = seen[static_cast<size_t>(i)];
      const std::vector<double> numbers = batch[0].to_vector(), labels = batch[1].to_vector();
      right = right && std::ranges::count(numbers, static_cast<double>(i)) == (i % 4 < 2 ? 16 : 6) &&
              std::ranges::count(labels, static_cast<double>(100 * i)) == 70;
    }
  }
  EXPECT_EQ(pinned_blocks(), 0);
  return right;
}

TEST(StandinUpload, BatchesArriveWhateverTheOrderOfStreams) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    EXPECT_TRUE(batches_arrive({.seed = seed})) << seed;
    EXPECT_TRUE(batches_arrive({.eager = 0.4, .seed = seed})) << seed;
  }
  expect_no_mistakes();
}

TEST(StandinUpload, EachOfItsThreeWaitsIsNeeded) {
  const cudaStream_t work = current_stream(gpu());
  const std::pair<const char*, std::function<bool(cudaStream_t)>> deaf[] = {
      {"the host does not wait for the pinned buffer", [](cudaStream_t stream) { return stream == nullptr; }},
      {"the upload does not wait for the staged buffer", [=](cudaStream_t stream) { return stream && stream != work; }},
      {"the work does not wait for the upload", [=](cudaStream_t stream) { return stream == work; }}};
  for (const auto& [what, without] : deaf) {
    int wrong = 0;
    for (uint64_t seed = 1; seed <= 20; ++seed) wrong += !batches_arrive({.deaf = without, .eager = 0.4, .seed = seed});
    EXPECT_GT(wrong, 0) << what << ", and nobody notices";
  }
  take_mistakes();
}

TEST(StandinUpload, ABatchIsAtTheSamePlaceAgain) {
  BatchUpload upload(gpu());
  const Tensor x = Tensor::zeros({4, 3});
  const void* const first = upload.send({x, ints(2, 0)})[0].raw_data();
  EXPECT_NE(upload.send({x, ints(2, 0)}, 1)[0].raw_data(), first);
  EXPECT_NE(upload.send({x, ints(3, 0)})[0].raw_data(), first);
  const Counts before = counts();
  EXPECT_EQ(upload.send({x, ints(2, 0)})[0].raw_data(), first);
  const Counts once = counts() - before;
  EXPECT_EQ(once.uploads, 1);
  EXPECT_EQ(once.device_copies, 2);  // one for each type
  EXPECT_EQ(once.pageable_copies, 0);
  EXPECT_EQ(once.waits, 0);
}

// Dropout and the optimizer read what changes where the graph of them finds it.
TEST(StandinGraphs, WhatChangesWithTheStepActsInAReplay) {
  for (const char* name : {"sgd", "adam", "average"}) {
    const Tensor start = test::random_tensor({50}, {}, 1), gradient = test::random_tensor({50}, {}, 2);
    const auto train = [&](const Device& device) {
      const Tensor value = start.clone().to(device).clone(), first = Tensor::zeros({50}, {DType::kFloat32, device});
      const Tensor second = Tensor::zeros({50}, {DType::kFloat32, device}), on_device = gradient.to(device);
      BatchUpload upload(device);
      WorkGraphs graphs(device, true);
      for (int64_t step = 1; step <= 6; ++step) {
        const double rate = 0.1 / static_cast<double>(step);
        AdamOptions adam{.learning_rate = rate, .step = step};
        StepNumbers n = numbers_of(adam);
        n.average_share = rate;
        const Tensor numbers =
            Tensor::from<double>({n.learning_rate, n.step_size, n.inverse_root, n.average_share}, {4});
        const Tensor stream = ints(1, 1000 + step);
        const std::vector<Tensor> parts = upload.send({numbers, stream});
        graphs.run("", [&] {
          const Tensor dropped(on_device.shape(), on_device.options());
          const DropoutOptions dropout{.p = 0.5, .seed = 3, .stream_at = parts[1]};
          GHOST_DISPATCH(device, dropout_apply(on_device, dropout, dropped));
          const std::vector<ParameterSlot> slots{{value, dropped, first, second, 0.01}};
          adam.numbers = parts[0];
          if (name == std::string("sgd"))
            GHOST_DISPATCH(device, sgd_step(slots, {.learning_rate = rate, .numbers = parts[0]}));
          else if (name == std::string("adam"))
            GHOST_DISPATCH(device, adam_step(slots, adam));
          else
            GHOST_DISPATCH(device, ema_step({dropped}, {value}, 1 - rate, parts[0]));
        });
      }
      return value.to_vector();
    };
    const Counts before = counts();
    const std::vector<double> expected = train(Device::cpu()), actual = train(gpu());
    EXPECT_EQ((counts() - before).graph_launches, 5) << name;
    for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(actual[i], expected[i], 1e-5) << name << ' ' << i;
  }
  expect_no_mistakes();
}

TEST(StandinGraphs, MemoryOfAGraphServesNobodyElse) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    set({.eager = 0.3, .seed = seed});
    const Tensor sum = Tensor::zeros({100}, {DType::kFloat32, gpu()});
    {
      WorkGraphs graphs(gpu(), true);
      std::vector<Tensor> others;
      for (int i = 0; i < 5; ++i) {
        for (const double addend : {1.0, 2.0})
          graphs.run(str(addend), [&] {
            const Tensor made = Tensor::full({100}, addend, sum.options());
            sum.add_in_place(made);
          });
        others.push_back(Tensor::full({100}, 50 + i, sum.options()));  // would take what the graphs gave back
      }
      EXPECT_EQ(sum.to_vector(), std::vector<double>(100, 15));
      for (size_t i = 0; i < others.size(); ++i)
        EXPECT_EQ(others[i].to_vector(), std::vector<double>(100, 50 + static_cast<double>(i)));
      EXPECT_EQ(live_graphs(), 2);
    }
    EXPECT_EQ(live_graphs(), 0);
  }
  set({});
  EXPECT_EQ(memory_stats(gpu()).in_use, 0);
  expect_no_mistakes();
}

TEST(StandinGraphs, SoManyAreKept) {
  const Tensor target = Tensor::zeros({1}, {DType::kFloat32, gpu()});
  WorkGraphs graphs(gpu(), true);
  int calls = 0;
  const auto run = [&](int64_t kind) {
    graphs.run(std::to_string(kind), [&] {
      ++calls;
      target.fill(static_cast<double>(kind));
    });
    return target.item() == static_cast<double>(kind);
  };
  for (int turn = 0; turn < 3; ++turn)
    for (int64_t kind = 0; kind < WorkGraphs::kMost + 3; ++kind) EXPECT_TRUE(run(kind));
  EXPECT_EQ(live_graphs(), WorkGraphs::kMost);
  EXPECT_EQ(calls, 2 * WorkGraphs::kMost + 3 * 3);
  for (int64_t i = 0; i < WorkGraphs::kIdle; ++i) run(1);
  EXPECT_TRUE(run(99) && run(99) && run(99));  // takes the place of one that lay idle
  EXPECT_EQ(live_graphs(), WorkGraphs::kMost);
  calls = 0;
  EXPECT_TRUE(run(99) && run(1));
  EXPECT_EQ(calls, 0);
  expect_no_mistakes();
}

TEST(StandinGraphs, WorkThatFailsLeavesTheStreamUsable) {
  const Tensor target = Tensor::zeros({1}, {DType::kFloat32, gpu()});
  WorkGraphs graphs(gpu(), true);
  graphs.run("", [&] { target.fill(1); });
  EXPECT_THROW(graphs.run("", [&]() -> void { throw std::runtime_error("a mistake"); }), std::runtime_error);
  EXPECT_EQ(target.item(), 1);
  EXPECT_THROW(graphs.run("", [&] { target.item(); }), Error);  // waits
  EXPECT_FALSE(take_mistakes().empty());
  EXPECT_EQ(live_graphs(), 0);
  graphs.run("", [&] { target.fill(2); });
  EXPECT_EQ(target.item(), 2);
  expect_no_mistakes();
}

TEST(StandinGraphs, OffTheyCallEachTime) {
  int calls = 0;
  WorkGraphs off(gpu(), false), on_cpu(Device::cpu(), true);
  for (int i = 0; i < 3; ++i) {
    off.run("", [&] { ++calls; });
    on_cpu.run("", [&] { ++calls; });
  }
  EXPECT_EQ(calls, 6);
}

}  // namespace
}  // namespace ghost::standin

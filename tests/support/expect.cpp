#include "tests/support/expect.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/parallel.h"

namespace ghost::test {

Difference worst_difference(const std::vector<double>& got, const std::vector<double>& want) {
  double squares = 0;
  for (const double value : want) squares += value * value;
  const double scale = want.empty() ? 0 : std::sqrt(squares / static_cast<double>(want.size()));
  Difference worst;
  for (size_t i = 0; i < want.size(); ++i) {
    double error = 0;
    if (!std::isfinite(got[i]) || !std::isfinite(want[i]))
      error = std::numeric_limits<double>::infinity();
    else if (got[i] != want[i])
      error = std::abs(got[i] - want[i]) / std::max({std::abs(want[i]), scale, std::numeric_limits<double>::min()});
    if (worst.index < 0 || error > worst.error) worst = {static_cast<int64_t>(i), got[i], want[i], error};
  }
  return worst;
}

void expect_close(const std::vector<double>& got, const std::vector<double>& want, double limit,
                  const std::string& what) {
  ASSERT_EQ(got.size(), want.size()) << what;
  const Difference worst = worst_difference(got, want);
  EXPECT_LE(worst.error, limit) << what << ": element " << worst.index << " of " << want.size() << " is "
                                << testing::PrintToString(worst.got) << ", should be "
                                << testing::PrintToString(worst.want);
}

void expect_close(const Tensor& got, const Tensor& want, double limit, const std::string& what) {
  ASSERT_EQ(got.shape(), want.shape()) << what;
  expect_close(got.to_vector(), want.to_vector(), limit, what);
}

void expect_same_bits(const Tensor& got, const Tensor& want, const std::string& what) {
  ASSERT_EQ(got.shape(), want.shape()) << what;
  ASSERT_EQ(got.dtype(), want.dtype()) << what;
  const auto dense_on_host = [](const Tensor& tensor) {
    const Tensor host = tensor.to(Device::cpu());
    return host.contiguous() ? host : host.clone();
  };
  const Tensor a = dense_on_host(got), b = dense_on_host(want);
  const size_t size = static_cast<size_t>(size_of(a.dtype()));
  for (int64_t i = 0; i < a.numel(); ++i) {
    const size_t at = static_cast<size_t>(i) * size;
    if (std::memcmp(static_cast<const char*>(a.raw_data()) + at, static_cast<const char*>(b.raw_data()) + at, size) ==
        0)
      continue;
    ADD_FAILURE() << what << ": element " << i << " of " << a.numel() << " is "
                  << testing::PrintToString(a.to_vector()[static_cast<size_t>(i)]) << ", should be to the bit "
                  << testing::PrintToString(b.to_vector()[static_cast<size_t>(i)]);
    return;
  }
}

void expect_error(ErrorKind kind, std::string_view part, const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(kind)) << error.what();
    EXPECT_NE(std::string_view(error.what()).find(part), std::string_view::npos)
        << "the message lacks '" << part << "': " << error.what();
    return;
  }
  ADD_FAILURE() << "no error was raised; expected one with '" << part << "'";
}

void expect_same_for_any_threads(const std::function<std::vector<Tensor>()>& run) {
  const int before = compute_threads();
  set_compute_threads(1);
  const std::vector<Tensor> want = run();
  for (const int threads : {2, 3, 4}) {
    set_compute_threads(threads);
    const std::vector<Tensor> got = run();
    ASSERT_EQ(got.size(), want.size());
    for (size_t i = 0; i < want.size(); ++i)
      expect_same_bits(got[i], want[i], str("tensor ", i, " with ", threads, " threads against 1"));
  }
  set_compute_threads(before);
}

}  // namespace ghost::test

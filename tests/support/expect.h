// Comparisons whose failures say where and by how much.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/tensor.h"

namespace ghost::test {

// |got - want| / max(|want|, root mean square of all want): relative, but fair to elements that cancel to almost
// nothing. Not finite in either is an infinite error.
struct Difference {
  int64_t index = -1;  // of the worst element; -1 where there is none
  double got = 0, want = 0, error = 0;
};
Difference worst_difference(const std::vector<double>& got, const std::vector<double>& want);

void expect_close(const std::vector<double>& got, const std::vector<double>& want, double limit,
                  const std::string& what = "");
void expect_close(const Tensor& got, const Tensor& want, double limit, const std::string& what = "");

// Same shape, dtype and bits; pitches may differ.
void expect_same_bits(const Tensor& got, const Tensor& want, const std::string& what = "");

// `body` throws an Error of this kind whose text contains `part`.
void expect_error(ErrorKind kind, std::string_view part, const std::function<void()>& body);

// `run` gives the same bits with 1, 2, 3 and 4 compute threads.
void expect_same_for_any_threads(const std::function<std::vector<Tensor>()>& run);

}  // namespace ghost::test

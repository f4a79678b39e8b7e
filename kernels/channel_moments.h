// Channel moments put together from tiles: each task leaves the count, mean and squared deviations of its tile, which
// are joined in the order of the tiles, in double, by the formula of Chan, Golub and LeVeque (1983).
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/batch_norm.h"

namespace ghost::cpu {

template <class T>
class MomentTiles {
 public:
  MomentTiles(int64_t tiles, int64_t channels)
      : channels_(channels),
        counts_(static_cast<size_t>(tiles)),
        means_(static_cast<size_t>(tiles * channels)),
        squares_(static_cast<size_t>(tiles * channels)) {}

  // Channels [begin, end) of a tile; means and squares start at channel `begin`. Every channel is set with the same
  // count.
  void set(int64_t tile, int64_t begin, int64_t end, const T* means, const T* squares, int64_t count) {
    if (begin == 0) counts_[static_cast<size_t>(tile)] = count;
    std::copy(means, means + (end - begin), means_.begin() + (tile * channels_ + begin));
    std::copy(squares, squares + (end - begin), squares_.begin() + (tile * channels_ + begin));
  }

  // Mean and biased variance, zeros where nothing was counted; then what a batch norm makes of them.
  void combine(const ChannelMoments& moments) const {
    std::vector<double> mean(static_cast<size_t>(channels_)), squares(static_cast<size_t>(channels_));
    double total = 0;
    for (size_t tile = 0; tile < counts_.size(); ++tile) {
      const double count = static_cast<double>(counts_[tile]);
      if (count == 0) continue;
      const double all = total + count;
      const size_t first = tile * static_cast<size_t>(channels_);
      for (size_t c = 0; c < mean.size(); ++c) {
        const double delta = static_cast<double>(means_[first + c]) - mean[c];
        mean[c] += delta * (count / all);
        squares[c] += static_cast<double>(squares_[first + c]) + delta * delta * (total * count / all);
      }
      total = all;
    }
    for (size_t c = 0; c < mean.size(); ++c) {
      moments.mean.data<T>()[c] = static_cast<T>(mean[c]);
      moments.variance.data<T>()[c] = static_cast<T>(total > 0 ? squares[c] / total : 0);
    }
    if (moments.then) batch_norm_scale_shift(moments, *moments.then);
  }

 private:
  int64_t channels_;
  std::vector<int64_t> counts_;
  std::vector<T> means_, squares_;
};

}  // namespace ghost::cpu

// Mixup and cutmix: sample i of a batch is combined with sample n - 1 - i, in place (as timm does); the partner gets
// the reverse. The label is then a mixture: mix * label + (1 - mix) * partner's label.
#pragma once

#include <cstdint>

#include "core/random.h"
#include "data/augment.h"

namespace ghost {

// A draw from Beta(alpha, alpha), alpha > 0.
double sample_beta(double alpha, Rng& rng);

// x_i = mix * x_i + (1 - mix) * x_partner on `count` pictures of height * width * 3 floats.
void mixup(float* images, int64_t count, int64_t height, int64_t width, float mix);

// A rectangle of share 1 - mix around a random point is taken from the partner; cut at the border, so the true share is
// returned as the new mix.
float cutmix(float* images, int64_t count, int64_t height, int64_t width, float mix, Rng& rng);

// Chooses mixup or cutmix (evenly where both are on) and draws the mix. Returns the weight of each sample's own label;
// 1 when both are off.
float mix_batch(float* images, int64_t count, int64_t height, int64_t width, const AugmentOptions& options, Rng& rng);

}  // namespace ghost

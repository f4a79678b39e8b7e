#include "kernels/tf32.h"

#include <utility>

namespace ghost {
namespace {

thread_local bool tf32 = false;

}  // namespace

Tf32Scope::Tf32Scope(bool on) : outer_(std::exchange(tf32, on)) {}
Tf32Scope::~Tf32Scope() { tf32 = outer_; }
bool Tf32Scope::active() { return tf32; }

}  // namespace ghost

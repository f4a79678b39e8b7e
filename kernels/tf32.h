// Whether products of float32 tensors may go through tensor cores, which round their inputs to TF32 (10 bits after the
// point instead of 23) and sum in float32. Asked by the callers of cuDNN and cuBLASLt; off unless a scope switches it
// on.
#pragma once

namespace ghost {

class Tf32Scope {
 public:
  explicit Tf32Scope(bool on);
  ~Tf32Scope();
  Tf32Scope(const Tf32Scope&) = delete;
  Tf32Scope& operator=(const Tf32Scope&) = delete;
  static bool active();  // on this thread

 private:
  bool outer_;
};

}  // namespace ghost

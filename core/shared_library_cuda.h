// The vendor libraries, opened at the first use of a CUDA device and never linked: linking them costs every start of
// the program 0.6 s and 218 MB, and one binary must also run where they are not installed.
//
// Searched, in this order: $GHOSTTRAIN_CUDA_LIBRARIES (folders apart by ':'), the loader's own paths (LD_LIBRARY_PATH,
// ld.so.cache), $CUDA_HOME/lib64 and /lib, the toolkit's folder at build time, /usr/local/cuda/lib64.
#pragma once

#include <string>
#include <vector>

namespace ghost {

class SharedLibrary {
 public:
  // Opens `name` (libcudnn.so.9); see error() for the outcome. `folders`: searched after the loader's own paths where
  // `folders_first` is 0, else that many of them before.
  SharedLibrary(std::string name, const std::vector<std::string>& folders, size_t folders_first);
  // CUDA's libraries keep threads and handlers of their own, so they are never closed.
  ~SharedLibrary() = default;
  SharedLibrary(const SharedLibrary&) = delete;
  SharedLibrary& operator=(const SharedLibrary&) = delete;

  const std::string& name() const { return name_; }
  // "" when open, else what was looked for, where, and the loader's words.
  const std::string& error() const { return error_; }

  // The function `symbol` as a pointer of type Function; throws kDevice where the library is not open or has none.
  template <class Function>
  Function function(const char* symbol) const {
    return reinterpret_cast<Function>(address(symbol));
  }

 private:
  void* address(const char* symbol) const;

  std::string name_, error_;
  void* handle_ = nullptr;
};

// Opened by the first call; kept for the life of the process.
const SharedLibrary& cudnn_library();
const SharedLibrary& cublaslt_library();

}  // namespace ghost

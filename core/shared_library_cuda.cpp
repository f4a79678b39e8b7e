#include "core/shared_library_cuda.h"

#include <cuda_runtime_api.h>
#include <cudnn_version.h>
#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>

#include "core/error.h"

namespace ghost {
namespace {

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value ? value : "";
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(separator, begin), text.size());
    if (end > begin) parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::string last_loader_error() {
  const char* const words = dlerror();
  return words ? words : "no reason given";
}

const SharedLibrary& open_once(const std::string& name) {
  std::vector<std::string> folders = split(environment("GHOSTTRAIN_CUDA_LIBRARIES"), ':');
  const size_t first = folders.size();
  if (const std::string home = environment("CUDA_HOME"); !home.empty()) {
    folders.push_back(home + "/lib64");
    folders.push_back(home + "/lib");
  }
  folders.emplace_back(GHOST_CUDA_LIBRARY_FOLDER);
  folders.emplace_back("/usr/local/cuda/lib64");
  return *new SharedLibrary(name, folders, first);
}

}  // namespace

SharedLibrary::SharedLibrary(std::string name, const std::vector<std::string>& folders, size_t folders_first)
    : name_(std::move(name)) {
  std::vector<std::string> paths;
  for (const std::string& folder : folders) paths.push_back(folder + "/" + name_);
  paths.insert(paths.begin() + static_cast<std::ptrdiff_t>(folders_first),
               name_);  // a bare name: the loader's own paths
  std::string searched, words;
  for (const std::string& path : paths) {
    // RTLD_LOCAL keeps symbols apart from those of other libraries that bring their own copy of these.
    handle_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_) return;
    const std::string reason = last_loader_error();
    // A file that is there but cannot be loaded says more than one that is missing.
    if (words.empty() || reason.find("No such file") == std::string::npos) words = reason;
    searched += (searched.empty() ? "" : ", ") + (path == name_ ? "the loader's own paths" : path);
  }
  error_ = str(name_, " could not be opened; searched: ", searched, " (", words,
               "). Install it, or name its folder in GHOSTTRAIN_CUDA_LIBRARIES.");
}

void* SharedLibrary::address(const char* symbol) const {
  GHOST_CHECK_AS(kDevice, handle_ != nullptr, error_);
  void* const found = dlsym(handle_, symbol);
  GHOST_CHECK_AS(kDevice, found != nullptr, name_, " has no function ", symbol, " (", last_loader_error(),
                 "). It is older than this build's headers; install a newer one.");
  return found;
}

const SharedLibrary& cudnn_library() {
  static const SharedLibrary& library = open_once(str("libcudnn.so.", CUDNN_MAJOR));
  return library;
}

const SharedLibrary& cublaslt_library() {
  static const SharedLibrary& library = open_once(str("libcublasLt.so.", CUDART_VERSION / 1000));
  return library;
}

}  // namespace ghost

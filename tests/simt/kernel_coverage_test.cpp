// Fails when a kernel of the project was launched by no case of this program. Looks after the last case, and only when
// all cases ran. With GHOST_SIMT_LAUNCHES=<file> it also writes "kernel threads bytes" of the largest blocks and
// their dynamic shared memory, for scripts/check_cuda.sh.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "tests/simt/scheduler.h"
#include "tests/support/temp_folder.h"

namespace ghost {
namespace {

namespace fs = std::filesystem;

bool is_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

// The function that a declaration beginning with `__global__` declares: the word before the first parenthesis that is
// not
// __launch_bounds__'. "" where there is none.
std::string declared_name(const std::string& text, size_t at) {
  while (at < text.size()) {
    const size_t open = text.find('(', at);
    if (open == std::string::npos) return "";
    size_t end = open;
    while (end > at && !is_name(text[end - 1])) --end;
    size_t begin = end;
    while (begin > at && is_name(text[begin - 1])) --begin;
    const std::string name = text.substr(begin, end - begin);
    if (name != "__launch_bounds__") return name;
    at = text.find(')', open);
  }
  return "";
}

// Kernel -> file, of every `__global__` in the sources of one tree.
std::map<std::string, std::string> kernels_in(const fs::path& root) {
  std::map<std::string, std::string> kernels;
  const std::string mark = "__global__";
  for (const char* folder : {"core", "kernels", "layers", "losses", "train"}) {
    if (!fs::exists(root / folder)) continue;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root / folder)) {
      const std::string extension = entry.path().extension();
      if (extension != ".cu" && extension != ".cuh" && extension != ".h") continue;
      std::ifstream file(entry.path());
      std::string line, text;
      while (std::getline(file, line)) text += line.substr(0, line.find("//")) + '\n';
      for (size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + 1)) {
        const std::string name = declared_name(text, at + mark.size());
        if (!name.empty()) kernels[name] = fs::relative(entry.path(), root).string();
      }
    }
  }
  return kernels;
}

class KernelCoverage : public testing::Environment {
 public:
  void TearDown() override {
    const std::string filter = GTEST_FLAG_GET(filter);
    if (filter != "*" || GTEST_FLAG_GET(list_tests) || std::getenv("GTEST_TOTAL_SHARDS") != nullptr) return;
    std::map<std::string, simt::KernelRun> run;  // the largest block by name
    for (const simt::KernelRun& kernel : simt::kernels_run()) {
      simt::KernelRun& most = run[kernel.name];
      most.threads = std::max(most.threads, kernel.threads);
      most.shared_bytes = std::max(most.shared_bytes, kernel.shared_bytes);
    }
    for (const auto& [name, file] : kernels_in(GHOST_SOURCE_DIR))
      if (!run.contains(name))
        ADD_FAILURE() << file << ": kernel '" << name << "' was launched by no case in tests/simt";
    if (const char* const path = std::getenv("GHOST_SIMT_LAUNCHES")) {
      std::ofstream file(path);
      for (const auto& [name, most] : run) file << name << ' ' << most.threads << ' ' << most.shared_bytes << '\n';
    }
  }
};
[[maybe_unused]] const testing::Environment* const coverage = testing::AddGlobalTestEnvironment(new KernelCoverage);

std::string text_of(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// The meta device counts every kernel: by its name in some *_meta.cpp, unless the op's twin refuses to run there.
TEST(KernelCoverage, MetaTwinsNameEveryKernel) {
  const fs::path root = GHOST_SOURCE_DIR;
  std::string twins = text_of(root / "core" / "meta.cpp");
  for (const char* folder : {"kernels", "losses"})
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root / folder))
      if (entry.path().string().ends_with("_meta.cpp")) twins += text_of(entry.path());
  for (const auto& [name, file] : kernels_in(root)) {
    if (file == "core/probe_cuda.cu") continue;  // no op: it asks whether the device runs anything
    const std::string part = file.substr(0, file.rfind("_cuda"));
    const std::string twin = (part == "kernels/yolo_suppress" ? "kernels/yolo_decode" : part) + "_meta.cpp";  // one op
    if (text_of(root / twin).find("GHOST_FAIL") != std::string::npos) continue;
    EXPECT_NE(twins.find('"' + name + '"'), std::string::npos)
        << file << ": kernel '" << name << "' is counted by no *_meta.cpp";
  }
}

TEST(KernelCoverage, FindsDeclarations) {
  const test::TempFolder temp;
  temp.write_text("kernels/a.cu",
                  "__global__ void plain_kernel(int x) {}\n"
                  "template <int N>\n__global__ void __launch_bounds__(256) bounded_kernel(int x) {}\n"
                  "__global__ __launch_bounds__(kThreads, 2) void\nsplit_kernel(int x) {}\n"
                  "// a __global__ void mentioned_kernel(int x)\n"
                  "void host_function(int x) {}\n");
  const auto kernels = kernels_in(temp.path());
  EXPECT_EQ(kernels.size(), 3u);
  EXPECT_TRUE(kernels.contains("plain_kernel") && kernels.contains("bounded_kernel") &&
              kernels.contains("split_kernel"));
}

}  // namespace
}  // namespace ghost

// The names of kernels: from a function's address to its name, by the symbol table of the running program. dladdr knows
// exported symbols only, and kernels live in unnamed namespaces.
#include <cxxabi.h>
#include <elf.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/simt/scheduler.h"

extern "C" void ghost_simt_anchor() {}  // its address tells how far the program was moved when it was loaded

namespace ghost::simt::detail {
namespace {

std::map<uintptr_t, std::string> read_symbols() {
  std::map<uintptr_t, std::string> symbols;
  std::ifstream file("/proc/self/exe", std::ios::binary);
  const std::string image{std::istreambuf_iterator<char>(file), {}};
  if (image.size() < sizeof(Elf64_Ehdr)) return symbols;
  Elf64_Ehdr header;
  std::memcpy(&header, image.data(), sizeof header);
  std::vector<Elf64_Shdr> sections(header.e_shnum);
  std::memcpy(sections.data(), image.data() + header.e_shoff, sections.size() * sizeof(Elf64_Shdr));
  uintptr_t moved = 0;
  for (const Elf64_Shdr& table : sections) {
    if (table.sh_type != SHT_SYMTAB) continue;
    const char* const names = image.data() + sections[table.sh_link].sh_offset;
    for (size_t i = 0; i < table.sh_size / sizeof(Elf64_Sym); ++i) {
      Elf64_Sym symbol;
      std::memcpy(&symbol, image.data() + table.sh_offset + i * sizeof symbol, sizeof symbol);
      if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_value == 0) continue;
      const char* const name = names + symbol.st_name;
      if (std::strcmp(name, "ghost_simt_anchor") == 0)
        moved = reinterpret_cast<uintptr_t>(&ghost_simt_anchor) - symbol.st_value;
      symbols.emplace(symbol.st_value, name);
    }
  }
  std::map<uintptr_t, std::string> placed;
  for (auto& [address, name] : symbols) placed.emplace(address + moved, std::move(name));
  return placed;
}

std::string demangle(const std::string& name) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status),
                                                         &std::free);
  return status == 0 ? text.get() : name;
}

// "void ghost::(anonymous namespace)::depthwise<3, 1>(float*)" -> {"depthwise", "depthwise<3, 1>"}.
KernelName shorten(std::string text) {
  const std::string unnamed = "(anonymous namespace)::";
  for (size_t at; (at = text.find(unnamed)) != std::string::npos;) text.erase(at, unnamed.size());
  size_t begin = 0, end = text.size(), arguments = std::string::npos;
  int depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '<' && depth++ == 0) arguments = i;
    if (text[i] == '>') --depth;
    if (depth > 0) continue;
    if (text[i] == '(') {
      end = i;
      break;
    }
    if (text[i] == ' ' || text[i] == ':') {
      begin = i + 1;
      arguments = std::string::npos;
    }
  }
  return {text.substr(begin, std::min(arguments, end) - begin), text.substr(begin, end - begin)};
}

}  // namespace

KernelName kernel_name(const void* kernel) {
  static const std::map<uintptr_t, std::string> symbols = read_symbols();
  const auto found = symbols.find(reinterpret_cast<uintptr_t>(kernel));
  return found == symbols.end() ? KernelName{"unnamed", "unnamed"} : shorten(demangle(found->second));
}

}  // namespace ghost::simt::detail

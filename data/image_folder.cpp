#include "data/image_folder.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <set>
#include <string_view>

#include "core/error.h"
#include "data/file_bytes.h"

namespace ghost {
namespace {

namespace fs = std::filesystem;

constexpr size_t kNamesShown = 20;

std::string list_names(const std::vector<std::string>& names) {
  std::string text;
  for (size_t i = 0; i < names.size() && i < kNamesShown; ++i) text += (i ? ", '" : "'") + names[i] + "'";
  if (names.size() > kNamesShown) text += str(" and ", names.size() - kNamesShown, " more");
  return text;
}

// The entries of a folder in the order of their names' bytes, without hidden ones.
std::vector<fs::path> sorted_entries(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> entries;
  fs::directory_iterator it(folder, error);
  for (; !error && it != fs::directory_iterator(); it.increment(error)) entries.push_back(it->path());
  GHOST_CHECK_AS(kData, !error, "cannot read the folder '", folder.string(), "': ", error.message());
  std::erase_if(entries, [](const fs::path& path) { return path.filename().string().starts_with('.'); });
  std::sort(entries.begin(), entries.end(),
            [](const fs::path& a, const fs::path& b) { return a.native() < b.native(); });
  return entries;
}

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

class Scanner {
 public:
  Scanner(ImageFolder& result, int64_t label) : result_(result), label_(label) {}

  // Pictures of one class. `above` are the folders on the way down: a link back to one of them would never end.
  void scan(const fs::path& folder, std::set<fs::path> above = {}) {
    std::error_code error;
    const fs::path real = fs::canonical(folder, error);
    if (error || !above.insert(real).second) return;
    for (const fs::path& entry : sorted_entries(folder)) {
      if (is_folder(entry)) {
        scan(entry, above);
      } else if (has_picture_extension(entry.filename().string())) {
        result_.samples.push_back({entry.string(), label_});
        ++result_.counts[static_cast<size_t>(label_)];
      } else {
        ++result_.other_files;
      }
    }
  }

 private:
  ImageFolder& result_;
  int64_t label_;
};

std::vector<fs::path> class_folders(const std::string& root) {
  std::error_code error;
  GHOST_CHECK_AS(kData, fs::exists(root, error), "there is no folder '", root, "'");
  GHOST_CHECK_AS(kData, is_folder(root), "'", root, "' is not a folder; it needs one folder per class in it");
  std::vector<fs::path> entries = sorted_entries(root), folders;
  std::copy_if(entries.begin(), entries.end(), std::back_inserter(folders), is_folder);
  const bool loose = std::any_of(entries.begin(), entries.end(),
                                 [](const fs::path& path) { return has_picture_extension(path.filename().string()); });
  GHOST_CHECK_AS(kData, !folders.empty(), "no class folder in '", root, "'",
                 loose ? ": its pictures must lie in one folder per class, e.g. '" + root + "/cat/1.jpg'" : "");
  return folders;
}

// `source` says where the class table comes from, for messages.
ImageFolder collect(const std::string& root, const std::vector<fs::path>& folders, std::vector<std::string> classes,
                    const std::string& source) {
  ImageFolder result;
  result.root = root;
  result.classes = std::move(classes);
  result.counts.assign(result.classes.size(), 0);
  std::map<std::string, int64_t> labels;
  for (const std::string& name : result.classes) labels.emplace(name, static_cast<int64_t>(labels.size()));
  std::map<int64_t, fs::path> by_label;
  for (const fs::path& folder : folders) {
    const auto found = labels.find(folder.filename().string());
    GHOST_CHECK_AS(kData, found != labels.end(), "'", root, "' has a folder '", folder.filename().string(),
                   "', which is no class of ", source, "; its ", result.classes.size(),
                   " classes are: ", list_names(result.classes), ". Rename or remove the folder");
    by_label.emplace(found->second, folder);
  }
  for (const auto& [label, folder] : by_label) Scanner(result, label).scan(folder);
  for (size_t i = 0; i < result.classes.size(); ++i)
    if (result.counts[i] == 0) result.empty_classes.push_back(result.classes[i]);
  GHOST_CHECK_AS(kData, !result.samples.empty(), "no picture (.jpg .jpeg .png .bmp) in the ", folders.size(),
                 " class folders of '", root, "'");
  return result;
}

}  // namespace

bool has_picture_extension(const std::string& name) {
  constexpr std::array<std::string_view, 4> kExtensions{".jpg", ".jpeg", ".png", ".bmp"};
  const size_t dot = name.rfind('.');
  if (dot == std::string::npos) return false;
  std::string extension = name.substr(dot);
  for (char& c : extension)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

std::vector<std::string> read_class_file(const std::string& path) {
  std::vector<uint8_t> bytes;
  read_file(path, bytes);
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  GHOST_CHECK_AS(kData, !text.empty(), "the class file '", path, "' holds no name");
  std::vector<std::string> names;
  std::set<std::string> seen;
  for (bool more = true; more;) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    more = end != std::string_view::npos;
    if (more) text.remove_prefix(end + 1);
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
    names.emplace_back(line);
    GHOST_CHECK_AS(kData, !line.empty(), path, ":", names.size(), ": an empty line; each line is a class name");
    GHOST_CHECK_AS(kData, seen.insert(names.back()).second, path, ":", names.size(), ": the class '", names.back(),
                   "' is there twice");
  }
  return names;
}

ImageFolder open_training_folder(const std::string& root, const std::string& class_file) {
  const std::vector<fs::path> folders = class_folders(root);
  std::vector<std::string> classes;
  if (class_file.empty()) {
    for (const fs::path& folder : folders) classes.push_back(folder.filename().string());
  } else {
    classes = read_class_file(class_file);
  }
  ImageFolder result = collect(root, folders, std::move(classes), "the class file '" + class_file + "'");
  const int64_t used = static_cast<int64_t>(result.classes.size() - result.empty_classes.size());
  GHOST_CHECK_AS(kData, used >= 2, "'", root, "' has pictures of one class only; training needs at least two. Empty: ",
                 result.empty_classes.empty() ? "none" : list_names(result.empty_classes));
  return result;
}

ImageFolder open_evaluation_folder(const std::string& root, const std::vector<std::string>& classes) {
  GHOST_CHECK(!classes.empty(), "the class table is empty");
  return collect(root, class_folders(root), classes, "the model");
}

}  // namespace ghost

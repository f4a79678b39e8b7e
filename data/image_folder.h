// A classification data set on disk: one folder per class, pictures (.jpg .jpeg .png .bmp, any case) anywhere below it.
// The order is that of the names' bytes, so it is the same on every machine. Symbolic links are followed, names that
// begin with a dot are passed over, other files are counted.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ghost {

struct Sample {
  std::string path;
  int64_t label = 0;
};

struct ImageFolder {
  std::string root;
  std::vector<std::string> classes;        // index = label
  std::vector<Sample> samples;             // sorted by class, then path
  std::vector<int64_t> counts;             // pictures per class
  std::vector<std::string> empty_classes;  // in the table, but without a picture here
  int64_t other_files = 0;                 // not pictures by their name
};

// Reads a class file: one name per line, the first is class 0. Windows line ends, a byte order mark and blank lines at
// the end are fine; a blank line in between, a name twice or no name is refused (kData, file and line).
std::vector<std::string> read_class_file(const std::string& path);

// For training. `class_file` ("" is none) fixes the classes and their order; without it they are the sorted folder
// names. Throws kData: no such folder, no class folder, pictures outside class folders only, fewer than two classes
// with pictures, a folder that is not in the class file.
ImageFolder open_training_folder(const std::string& root, const std::string& class_file = "");

// For evaluation. The classes are those of the weights and folders are matched by name: a class that is not here is
// reported in empty_classes, a folder that the table does not have is refused (kData) with its name and the known ones.
ImageFolder open_evaluation_folder(const std::string& root, const std::vector<std::string>& classes);

// Whether a file counts as a picture by its name.
bool has_picture_extension(const std::string& name);

}  // namespace ghost

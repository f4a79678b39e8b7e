#include "tests/apps/program.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/random.h"
#include "data/image_write.h"

namespace ghost {
namespace {

namespace fs = std::filesystem;

Image striped_picture(int label, uint64_t seed) {
  Rng rng(7, seed);
  Image image(40, 36);
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x)
      for (int c = 0; c < 3; ++c) {
        const int stripe = (label % 2 ? x : y) / (2 + label) % 2 ? 90 : 0;
        image.pixels[static_cast<size_t>((y * image.width + x) * 3 + c)] =
            static_cast<uint8_t>(stripe + (c == label % 3 ? 80 : 10) + rng.below(60));
      }
  return image;
}

}  // namespace

std::string test_folder() {
  // By process: tests run several at a time, in several builds.
  const fs::path folder = fs::path(testing::TempDir()) / ("ghosttrain_test_" + std::to_string(getpid()));
  fs::remove_all(folder);
  fs::create_directories(folder);
  return folder.string();
}

void make_picture_folders(const std::string& root, int classes, int per_class) {
  for (const char* split : {"train", "val"})
    for (int label = 0; label < classes; ++label) {
      const fs::path folder = fs::path(root) / split / (std::string("class_") + static_cast<char>('a' + label));
      fs::create_directories(folder);
      for (int i = 0; i < per_class; ++i)
        write_image((folder / (std::to_string(i) + ".png")).string(),
                    striped_picture(label, static_cast<uint64_t>(label * 1000 + i + (split[0] == 'v' ? 500 : 0))));
    }
}

std::string write_tiny_config(const std::string& root, const std::string& extra) {
  const std::string path = root + "/tiny.yaml";
  std::ofstream(path) << "model: {width: 0.25}\n"
                         "data: {train: "
                      << root << "/train, val: " << root
                      << "/val, workers: 1}\n"
                         "input: {size: 32}\n"
                         "train: {epochs: 12, batch_size: 4, seed: 5}\n"
                         "schedule: {warmup_epochs: 1}\n"
                         "output: "
                      << root << "/runs\n"
                      << extra;
  return path;
}

pid_t start_program(const std::vector<std::string>& arguments, const std::string& folder) {
  std::vector<char*> argv{const_cast<char*>(GHOST_PROGRAM)};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const std::string output = folder + "/output.txt";
  const pid_t process = fork();
  if (process == 0) {
    const int file = open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    dup2(file, 1);
    dup2(file, 2);
    execv(GHOST_PROGRAM, argv.data());
    _exit(127);
  }
  return process;
}

int wait_for(pid_t process) {
  int status = 0;
  waitpid(process, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

ProgramResult run_program(const std::vector<std::string>& arguments, const std::string& folder) {
  ProgramResult result;
  result.exit_code = wait_for(start_program(arguments, folder));
  result.output = test::bytes_of(folder + "/output.txt");
  return result;
}

}  // namespace ghost

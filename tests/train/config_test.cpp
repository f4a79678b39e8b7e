#include "train/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "core/error.h"
#include "train/config_keys.h"

namespace ghost {
namespace {
namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kSample[] = R"(task: classify
model: {name: ghostnet, width: 0.5, flavour: keras}   # a small one
data:
  train: "some/where"
  val: null
  workers: 3
train:
  epochs: 12
  batch_size: +16
optimizer: {name: adamw, learning_rate: 1e-3, nesterov: off}
schedule:
  name: step
  step_epochs: [4, 8]
augment:
  random_resized_crop: [0.5, 1]
ema:
run_name: 2024
)";

LoadedConfig parse(const std::string& text, const std::vector<std::string>& overrides = {}) {
  return parse_config({text, "a.yaml", ""}, overrides);
}

std::string problem(const std::string& text, const std::vector<std::string>& overrides = {}) {
  try {
    parse(text, overrides);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    return error.message();
  }
  return "accepted";
}

// A folder that goes with the test; the current folder is set back after it.
class TemporaryFolder {
 public:
  TemporaryFolder() : before_(fs::current_path()) {
    static int count = 0;
    path_ = fs::path(testing::TempDir()) / str("ghost-config-", ::getpid(), "-", count++);
    fs::create_directories(path_);
  }
  ~TemporaryFolder() {
    fs::current_path(before_);
    fs::remove_all(path_);
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path before_, path_;
};

TEST(Config, ReadsEveryKindOfValue) {
  const Config c = parse(kSample).config;
  EXPECT_EQ(c.model.width, 0.5);
  EXPECT_EQ(c.model.flavour, "keras");
  EXPECT_EQ(c.data.train, "some/where");
  EXPECT_EQ(c.data.val, "");
  EXPECT_EQ(c.train.epochs, 12);
  EXPECT_EQ(c.train.batch_size, 16);
  EXPECT_EQ(c.optimizer.learning_rate, 1e-3);
  EXPECT_FALSE(c.optimizer.nesterov);
  EXPECT_THAT(c.schedule.step_epochs, ElementsAre(4, 8));
  EXPECT_THAT(c.augment.random_resized_crop, ElementsAre(0.5, 1.0));
  EXPECT_EQ(c.run_name, "2024");
  EXPECT_EQ(c.optimizer.momentum, Config().optimizer.momentum);
}

TEST(Config, EmptyTextGivesDefaults) {
  EXPECT_EQ(parse("").config, Config());
  EXPECT_EQ(parse("# nothing\n").config, Config());
  EXPECT_EQ(load_config("").config, Config());
}

TEST(Config, CommandLineWinsOverFile) {
  const Config c = parse(kSample, {"train.epochs=5", "data.train=/a: b # c", "schedule.step_epochs=[1, 2]",
                                   "run_name=", "augment.ratio=[1,1]", "model.replace_head=true"})
                       .config;
  EXPECT_EQ(c.train.epochs, 5);
  EXPECT_EQ(c.data.train, "/a: b # c");
  EXPECT_THAT(c.schedule.step_epochs, ElementsAre(1, 2));
  EXPECT_EQ(c.run_name, "");
  EXPECT_TRUE(c.model.replace_head);
}

TEST(Config, NamesPlaceAndNearKey) {
  EXPECT_EQ(problem("optimizer:\n  name: sgd\n  lerning_rate: 0.1\n"),
            "a.yaml:3:3: unknown key 'lerning_rate' in 'optimizer'; did you mean 'learning_rate'?");
  EXPECT_EQ(problem("optimiser: {name: sgd}"), "a.yaml:1:1: unknown key 'optimiser'; did you mean 'optimizer'?");
  EXPECT_EQ(problem("train: {learning_rate: 1}"),
            "a.yaml:1:9: unknown key 'learning_rate' in 'train'; did you mean 'optimizer.learning_rate'?");
  EXPECT_EQ(problem("epochs: 3"), "a.yaml:1:1: unknown key 'epochs'; did you mean 'train.epochs'?");
  EXPECT_EQ(problem("", {"lr=0.1"}), "command line: unknown key 'lr'; did you mean 'optimizer.learning_rate'?");
  EXPECT_EQ(problem("", {"optimiser.learning_rate=0.1"}),
            "command line: unknown key 'optimiser.learning_rate'; did you mean 'optimizer.learning_rate'?");
  EXPECT_EQ(problem("", {"trian.batch=3"}),
            "command line: unknown key 'trian.batch'; did you mean 'train.batch_size'?");
  EXPECT_THAT(problem("", {"zzzzzzzz=1"}), HasSubstr("unknown key 'zzzzzzzz'; docs/config.md"));
}

TEST(Config, RefusesWrongTypes) {
  EXPECT_EQ(problem("train: {epochs: many}"), "a.yaml:1:17: 'train.epochs' takes an integer, got 'many'");
  EXPECT_EQ(problem("train: {epochs: 3.0}"), "a.yaml:1:17: 'train.epochs' takes an integer, got '3.0'");
  EXPECT_EQ(problem("train: {epochs: '3'}"), "a.yaml:1:17: 'train.epochs' takes an integer, got '3'");
  EXPECT_EQ(problem("train:\n  epochs:\n"), "a.yaml:2:3: 'train.epochs' takes an integer, got nothing");
  EXPECT_EQ(problem("train: {epochs: [3]}"), "a.yaml:1:17: 'train.epochs' takes an integer, got a list of 1");
  EXPECT_EQ(problem("train: 3"), "a.yaml:1:8: section 'train' must be a map of 'key: value'");
  EXPECT_EQ(problem("optimizer: {nesterov: 1}"), "a.yaml:1:23: 'optimizer.nesterov' takes true or false, got '1'");
  EXPECT_EQ(problem("input: {mean: [0, 0]}"), "a.yaml:1:15: 'input.mean' takes a list of 3 numbers, got a list of 2");
  EXPECT_EQ(problem("input: {mean: 0.5}"), "a.yaml:1:15: 'input.mean' takes a list of 3 numbers, got '0.5'");
  EXPECT_EQ(problem("data: {train: {a: b}}"), "a.yaml:1:15: 'data.train' takes a text, got a map");
  EXPECT_EQ(problem("- a\n- b\n"), "a.yaml:1:1: a config is a map of 'key: value'");
  EXPECT_EQ(problem("[a, b]: 1"), "a.yaml:1:1: a key must be a plain name");
  EXPECT_EQ(problem("train: {epochs: +-3}"), "a.yaml:1:17: 'train.epochs' takes an integer, got '+-3'");
  EXPECT_EQ(problem("train: {epochs: 99999999999999999999}"),
            "a.yaml:1:17: 'train.epochs' takes an integer, got '99999999999999999999'");
}

TEST(Config, RefusesValuesOutOfRange) {
  EXPECT_EQ(problem("train: {epochs: 0}"), "a.yaml:1:17: 'train.epochs' is 0, but must be 1 to 1000000 epochs");
  EXPECT_EQ(problem("optimizer: {learning_rate: 0}"),
            "a.yaml:1:28: 'optimizer.learning_rate' is 0, but must be above 0");
  EXPECT_EQ(problem("", {"ema.decay=1"}), "command line: 'ema.decay' is 1, but must be 0 to below 1");
  EXPECT_EQ(
      problem("schedule: {name: cosinus}"),
      "a.yaml:1:18: 'schedule.name' is 'cosinus', but must be cosine, step, constant or yolox_cosine; did you mean "
      "'cosine'?");
  EXPECT_THAT(problem("input: {std: [0.2, 0.2, 0]}"), HasSubstr("'input.std' is 0, but must be above 0 to 10"));
  EXPECT_THAT(problem("device: gpu"),
              HasSubstr("a.yaml:1:9: 'device' is 'gpu', but must be auto, cpu, cuda or cuda:N"));
  EXPECT_THAT(problem("run_name: ../x"), HasSubstr("plain folder name"));
}

TEST(Config, RefusesWhatIsNotFinite) {
  for (const char* text : {".nan", ".inf", "-.INF", "nan", "inf", "1e999", "-1e999"}) {
    EXPECT_EQ(problem(str("optimizer: {learning_rate: ", text, "}")),
              str("a.yaml:1:28: 'optimizer.learning_rate' must be a finite number, got '", text, "'"));
  }
  EXPECT_THAT(problem("", {"input.mean=[0,0,nan]"}), HasSubstr("must be a finite number"));
}

TEST(Config, RefusesDuplicates) {
  EXPECT_EQ(problem("train:\n  epochs: 3\n  epochs: 4\n"),
            "a.yaml:3:3: duplicate key 'train.epochs'; 'train.epochs' was already given");
  EXPECT_EQ(problem("ema: {decay: 0}\nema: {decay: 0}\n"), "a.yaml:2:1: duplicate section 'ema'");
  EXPECT_THAT(problem("", {"device=cpu", "device=cpu"}), HasSubstr("command line: duplicate key 'device'"));
}

TEST(Config, ListsAllProblemsAtOnce) {
  EXPECT_EQ(problem("train:\n  epochs: 0\n  batchsize: 2\nloss: 4\n", {"nothing", "device.x=1"}),
            "a.yaml:2:11: 'train.epochs' is 0, but must be 1 to 1000000 epochs\n"
            "a.yaml:3:3: unknown key 'batchsize' in 'train'; did you mean 'batch_size'?\n"
            "a.yaml:4:7: section 'loss' must be a map of 'key: value'\n"
            "command line: 'nothing' is not of the form key=value\n"
            "command line: unknown key 'device.x'; did you mean 'device'?");
}

TEST(Config, RefusesBrokenYaml) {
  EXPECT_THAT(problem("train: {epochs: 3\n"), HasSubstr("not valid YAML"));
  EXPECT_THAT(problem("a: b: c\n"), HasSubstr("a.yaml:1:"));
  EXPECT_EQ(problem("task: classify\n---\ntask: classify\n"),
            "a.yaml:2:1: not valid YAML: one document is read, and something follows it here");
  EXPECT_THAT(problem(", task: classify"), HasSubstr("something follows it here"));
  EXPECT_THAT(problem("", {"augment.ratio=[1, 2], 3"}), HasSubstr("is not valid YAML"));
  EXPECT_THAT(problem("", {"train.epochs=[1"}),
              HasSubstr("command line: the value of 'train.epochs' is not valid YAML"));
  EXPECT_THAT(problem(std::string((1 << 20) + 1, '#')), HasSubstr("too much for a config"));
  EXPECT_THAT(problem(std::string(100000, '[')), HasSubstr("not valid YAML"));
}

TEST(Config, ChecksKeysAgainstEachOther) {
  EXPECT_EQ(problem("optimizer:\n  learning_rate: 0.1\n  min_learning_rate: 0.2\n"),
            "a.yaml:3:22: 'optimizer.min_learning_rate' (0.2) is above 'optimizer.learning_rate' (0.1)");
  EXPECT_EQ(problem("augment: {ratio: [2, 1]}"),
            "a.yaml:1:18: 'augment.ratio' is [2, 1], but the smaller number stands first");
  EXPECT_THAT(problem("schedule: {name: step}"), HasSubstr("needs 'schedule.step_epochs'"));
  EXPECT_THAT(problem("schedule: {name: step, step_epochs: [3, 3]}"), HasSubstr("must rise"));
  EXPECT_THAT(parse("", {"train.epochs=2"}).warnings,
              ElementsAre(HasSubstr("command line: 'schedule.warmup_epochs' (3)")));
  EXPECT_THAT(parse(kSample).warnings, IsEmpty());
}

TEST(Config, OldNamesWarn) {
  const std::vector<RenamedKey> renamed{{"train.lr", "optimizer.learning_rate"}, {"gpu", "device"}};
  const LoadedConfig loaded = parse_config({"train: {lr: 0.25}", "a.yaml", ""}, {"gpu=cpu"}, renamed);
  EXPECT_EQ(loaded.config.optimizer.learning_rate, 0.25);
  EXPECT_EQ(loaded.config.device, "cpu");
  EXPECT_THAT(loaded.warnings,
              ElementsAre("a.yaml:1:9: 'train.lr' is now called 'optimizer.learning_rate'; the old name will go",
                          "command line: 'gpu' is now called 'device'; the old name will go"));
  EXPECT_THROW(parse_config({"train: {lr: 1}\noptimizer: {learning_rate: 1}", "a.yaml", ""}, {}, renamed), Error);
  Config c;
  std::set<std::string_view> names;
  for (const ConfigKey& key : config_keys(c)) names.insert(key.name);
  for (const RenamedKey& key : renamed_keys()) EXPECT_TRUE(names.count(key.new_name)) << key.new_name;
}

TEST(Config, RoundTripsExactly) {
  Config c = parse(kSample).config;
  c.optimizer.learning_rate = 0.1 + 0.2;
  c.optimizer.eps = 5e-324;
  c.optimizer.weight_decay = 1.0 / 3;
  c.input.mean = {1e-300, 123.456 / 77, 0};
  c.train.seed = (int64_t{1} << 53) - 1;
  c.data.train = "/a b/\"c\"\\d: # '\n\t\x01 é";
  c.data.val = "null";
  c.run_name = "~";
  c.output = "-";
  EXPECT_EQ(parse(to_yaml(c)).config, c) << to_yaml(c);
  EXPECT_EQ(parse(to_yaml(Config())).config, Config());
  EXPECT_EQ(to_yaml(parse(to_yaml(c)).config), to_yaml(c));
}

TEST(Config, JoinsWhatTheShellCut) {
  EXPECT_THAT(join_overrides({"a.b", "=", "1", "c.d=[0.3,", "1]", "e=", "5", "f", "=6", "g"}),
              ElementsAre("a.b=1", "c.d=[0.3, 1]", "e=5", "f=6", "g"));
  EXPECT_THAT(join_overrides({"a=", "b=1", "c", "=", "d=1"}), ElementsAre("a=", "b=1", "c=d=1"));
  EXPECT_THAT(join_overrides({"a=", "[1,", "2", "]", "b=1"}), ElementsAre("a=[1, 2 ]", "b=1"));
  EXPECT_THAT(join_overrides({}), IsEmpty());
}

TEST(Config, PathsAreRelativeToHereAndThenToTheFile) {
  const TemporaryFolder folder;
  fs::create_directories(folder.path() / "conf/pictures");
  fs::create_directories(folder.path() / "conf/more");
  fs::create_directories(folder.path() / "here/pictures");
  std::ofstream(folder.path() / "conf/a.yaml") << "data: {train: pictures, val: more, classes: nowhere.txt}\n";
  fs::current_path(folder.path() / "here");
  const fs::path here = fs::current_path();
  const Config c = load_config("../conf/a.yaml").config;
  EXPECT_EQ(c.data.train, (here / "pictures").string());
  EXPECT_EQ(c.data.val, (here.parent_path() / "conf/more").string());
  EXPECT_EQ(c.data.classes, "nowhere.txt");
  EXPECT_EQ(load_config("../conf/a.yaml", {"data.val=more"}).config.data.val, "more");
}

TEST(Config, NamesAnUnreadableFile) {
  EXPECT_THROW(load_config("/no/such.yaml"), Error);
  EXPECT_THROW(load_config(testing::TempDir()), Error);
}

TEST(Config, TableHoldsTogether) {
  Config c;
  std::set<std::string_view> names, closed_sections;
  std::string_view section;
  for (const ConfigKey& key : config_keys(c)) {
    EXPECT_TRUE(names.insert(key.name).second) << key.name << " stands twice";
    EXPECT_FALSE(key.info.help.empty()) << key.name;
    EXPECT_TRUE(key.info.help.ends_with('.')) << key.name;
    const bool goes_on = key.section() == section && !section.empty();
    EXPECT_TRUE(goes_on || section.empty() || closed_sections.insert(section).second) << key.name;
    EXPECT_FALSE(closed_sections.count(key.section())) << key.name << " lies apart from its section";
    section = key.section();
  }
}

TEST(Config, DocumentIsUpToDate) {
  std::ifstream file(GHOST_SOURCE_DIR "/docs/config.md");
  std::ostringstream text;
  text << file.rdbuf();
  const bool same = text.str() == config_markdown();  // not EXPECT_EQ: a page of difference helps nobody
  if (!same) std::ofstream(testing::TempDir() + "/config.md") << config_markdown();
  EXPECT_TRUE(same) << "copy " << testing::TempDir() << "/config.md to docs/config.md";
}

// Whatever the bytes, a config is read or refused in words.
void expect_config_or_error(const std::string& text) {
  try {
    const LoadedConfig loaded = parse(text);
    EXPECT_EQ(parse(to_yaml(loaded.config)).config, loaded.config) << text;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    EXPECT_THAT(error.message(), HasSubstr("a.yaml")) << text;
  }
}

TEST(Config, SurvivesEveryDamagedByte) {
  const std::string sample = kSample;
  for (size_t at = 0; at < sample.size(); ++at) {
    for (const int flip : {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff}) {
      std::string damaged = sample;
      damaged[at] = static_cast<char>(damaged[at] ^ flip);
      expect_config_or_error(damaged);
    }
    expect_config_or_error(sample.substr(0, at));
    expect_config_or_error(sample.substr(at));
    for (const char* inserted : {"\n", "[", "{", "&a ", "*a", "- ", "? ", "!!x ", "|\n"}) {
      expect_config_or_error(std::string(sample).insert(at, inserted));
    }
    expect_config_or_error(std::string(sample).insert(at, 1, '\0'));
  }
}

}  // namespace
}  // namespace ghost

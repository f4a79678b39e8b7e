// What the config prints: the resolved YAML and the reference page.
#include "core/error.h"
#include "train/config_value.h"

namespace ghost {
namespace {

std::string allowed_text(const ConfigKey& key) {
  std::string text;
  for (const std::string_view choice : key.info.choices) {
    if (!text.empty()) text += ", ";
    text += str('`', choice, '`');
  }
  return text.empty() ? key.info.range.text() : text;
}

std::string_view task_text(KeyTask task) {
  return task == KeyTask::kClassify ? "classify" : task == KeyTask::kDetect ? "detect" : "all";
}

constexpr std::string_view kIntroduction = R"(# Config keys

This page is printed from the program's own table of keys; a test keeps the two equal.

A run is told what to do by built-in defaults, then a YAML file, then `key=value` on the command line; the later one
wins. The result is written to `config.yaml` in the run's folder.

```
ghosttrain train configs/signs.yaml train.epochs=10 augment.random_resized_crop=[0.5,1]
```

- In YAML, `train.epochs` stands under its section: `train: {epochs: 10}`. On the command line it has its full name.
- Unknown keys, keys given twice, wrong types and values out of range are refused, all of them at once, with file, line
  and column.
- `null` or an empty text means "not given".
- A path (marked *path*) is relative to the current folder. Where nothing lies there and it comes from a YAML file, it
  is relative to that file's folder. A path that exists is written out in full.
)";

}  // namespace

std::string to_yaml(const Config& config) {
  Config copy = config;
  std::string text;
  std::string_view section;
  for (const ConfigKey& key : config_keys(copy)) {
    if (!key.serves(config.task)) continue;
    if (key.section() != section && !key.section().empty()) text += str(key.section(), ":\n");
    section = key.section();
    text += str(section.empty() ? "" : "  ", key.leaf(), ": ", value_text(key), "\n");
  }
  return text;
}

std::string config_markdown() {
  constexpr std::string_view kHead =
      "\n| Key | Type | Default | Allowed | Unit | Task | Meaning |\n|---|---|---|---|---|---|---|\n";
  Config defaults = default_config("classify"), detect_defaults = default_config("detect");
  const std::vector<ConfigKey> keys = config_keys(defaults), detect_keys = config_keys(detect_defaults);
  // A key of both tasks has up to two defaults.
  const auto default_text = [&](size_t i) {
    const std::string classify = value_text(keys[i]), detect = value_text(detect_keys[i]);
    if (keys[i].info.task == KeyTask::kDetect) return str('`', detect, '`');
    const bool two = keys[i].info.task == KeyTask::kBoth && classify != detect;
    return two ? str('`', classify, "`, detect `", detect, '`') : str('`', classify, '`');
  };
  std::string grouped, single = "\n## The run\n" + std::string(kHead);
  std::string_view section;
  for (size_t i = 0; i < keys.size(); ++i) {
    const ConfigKey& key = keys[i];
    std::string& text = key.section().empty() ? single : grouped;
    if (key.section() != section && !key.section().empty()) grouped += str("\n## ", key.section(), "\n", kHead);
    section = key.section();
    text += str("| `", key.name, "` | ", key.info.path ? "path" : key.type_text(), " | ", default_text(i), " | ",
                allowed_text(key), " | ", key.info.unit, " | ", task_text(key.info.task), " | ", key.info.help, " |\n");
  }
  return std::string(kIntroduction) + single + grouped;
}

}  // namespace ghost

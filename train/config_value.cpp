#include "train/config_value.h"

#include <yaml-cpp/eventhandler.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <optional>
#include <sstream>

#include "core/error.h"
#include "train/number_text.h"
#include "train/suggest.h"

namespace ghost {
namespace {

constexpr size_t kLongestList = 1000;

// Notes where a document's content begins, and drops the rest.
class DocumentStart : public YAML::EventHandler {
 public:
  const YAML::Mark& mark() const { return mark_; }

  void OnDocumentStart(const YAML::Mark& mark) override { mark_ = mark; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}

 private:
  YAML::Mark mark_;
};

// What a message says was found. Long and odd texts are cut: the whole line is a terminal's.
std::string found(const YAML::Node& node) {
  if (node.IsMap()) return "a map";
  if (node.IsSequence()) return str("a list of ", node.size());
  if (!node.IsScalar()) return "nothing";
  constexpr size_t kShown = 60;
  const std::string& text = node.Scalar();
  return "'" + (text.size() > kShown ? text.substr(0, kShown) + "..." : text) + "'";
}

// A scalar without quotes: "3" in quotes is a text in YAML, not a number.
bool is_plain(const YAML::Node& node) { return node.IsScalar() && node.Tag() != "!"; }

template <class T>
std::optional<T> parse_number(const YAML::Node& node) {
  if (!is_plain(node)) return std::nullopt;
  const std::string& text = node.Scalar();
  const char* begin = text.data();
  const char* end = begin + text.size();
  if (text.size() > 1 && *begin == '+' && *(begin + 1) != '-') ++begin;
  T value{};
  const auto result = std::from_chars(begin, end, value);
  if (result.ec != std::errc() || result.ptr != end) return std::nullopt;
  return value;
}

// YAML 1.1's words, in any case; its single letters y and n are left out.
std::optional<bool> parse_bool(const YAML::Node& node) {
  if (!is_plain(node)) return std::nullopt;
  std::string text = node.Scalar();
  for (char& c : text) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  if (text == "true" || text == "yes" || text == "on") return true;
  if (text == "false" || text == "no" || text == "off") return false;
  return std::nullopt;
}

std::string in_words(const std::vector<std::string_view>& choices) {
  std::string text;
  for (size_t i = 0; i < choices.size(); ++i) {
    if (i > 0) text += i + 1 == choices.size() ? " or " : ", ";
    text += choices[i];
  }
  return text;
}

struct Setter {
  const ConfigKey& key;
  const YAML::Node& node;

  std::string wrong_type() const { return str("'", key.name, "' takes ", an(key.type_text()), ", got ", found(node)); }
  static std::string an(const std::string& type) {
    if (type == "true or false") return type;
    return (type == "integer" ? "an " : "a ") + type;
  }

  template <class T>
  std::string number(const YAML::Node& from, T& to) const {
    const std::optional<T> value = parse_number<T>(from);
    if constexpr (std::is_same_v<T, double>) {
      if (is_unbounded(from) || (value && !std::isfinite(*value))) {
        return str("'", key.name, "' must be a finite number, got ", found(from));
      }
    }
    if (!value) return wrong_type();
    if (!key.info.range.contains(static_cast<double>(*value))) {
      return str("'", key.name, "' is ", from.Scalar(), ", but must be ", key.info.range.text(),
                 key.info.unit.empty() ? "" : " ", key.info.unit);
    }
    to = *value;
    return "";
  }
  // YAML's own spellings of what is no finite number, and numbers beyond double.
  static bool is_unbounded(const YAML::Node& from) {
    if (!is_plain(from)) return false;
    std::string text = from.Scalar();
    for (char& c : text) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    if (text == ".nan" || text == ".inf" || text == "+.inf" || text == "-.inf") return true;
    double ignored = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), ignored);
    return result.ec == std::errc::result_out_of_range && result.ptr == text.data() + text.size();
  }

  std::string operator()(bool* to) const {
    const std::optional<bool> value = parse_bool(node);
    if (!value) return wrong_type();
    *to = *value;
    return "";
  }
  std::string operator()(int64_t* to) const { return number(node, *to); }
  std::string operator()(double* to) const { return number(node, *to); }
  std::string operator()(std::string* to) const {
    if (node.IsMap() || node.IsSequence()) return wrong_type();
    const std::string text = node.IsScalar() ? node.Scalar() : "";
    if (text.find('\0') != std::string::npos) return str("'", key.name, "' holds a zero byte");
    const auto& choices = key.info.choices;
    if (!choices.empty() && std::find(choices.begin(), choices.end(), text) == choices.end()) {
      const std::string near = nearest_word(text, {choices.begin(), choices.end()});
      return str("'", key.name, "' is ", found(node), ", but must be ", in_words(choices),
                 near.empty() || choices.size() == 1 ? "" : "; did you mean '" + near + "'?");
    }
    *to = text;
    return "";
  }
  std::string operator()(std::span<double> to) const {
    if (!node.IsSequence() || node.size() != to.size()) return wrong_type();
    for (size_t i = 0; i < to.size(); ++i) {
      if (std::string wrong = number(node[i], to[i]); !wrong.empty()) return wrong;
    }
    return "";
  }
  std::string operator()(std::vector<int64_t>* to) const {
    if (!node.IsSequence()) return wrong_type();
    if (node.size() > kLongestList)
      return str("'", key.name, "' has ", node.size(), " numbers; ", kLongestList, " is the most");
    to->assign(node.size(), 0);
    for (size_t i = 0; i < to->size(); ++i) {
      if (std::string wrong = number(node[i], (*to)[i]); !wrong.empty()) return wrong;
    }
    return "";
  }
};

// A real number keeps a dot, so that readers of YAML 1.1 do not take 1 for an integer or 4e-05 for a text.
std::string real_text(double value) {
  std::string text = shortest(value);
  if (text.find('.') == std::string::npos) text.insert(std::min(text.find('e'), text.size()), ".0");
  return text;
}

bool needs_quotes(const std::string& text) {
  constexpr std::string_view kWords[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};
  const auto plain = [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '/';
  };
  std::string lower = text;
  for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  if (std::find(std::begin(kWords), std::end(kWords), lower) != std::end(kWords) || !plain(text[0])) return true;
  return !std::all_of(text.begin(), text.end(),
                      [&](unsigned char c) { return plain(c) || (c >= '0' && c <= '9') || c == '.' || c == '-'; });
}

std::string quoted(const std::string& text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      result += "\\x";
      result += kHex[byte >> 4];
      result += kHex[byte & 15];
    } else {
      result += c;
    }
  }
  return result + '"';
}

template <class List, class Text>
std::string list_text(const List& list, const Text& text) {
  std::string result = "[";
  for (const auto& value : list) result += (result.size() > 1 ? ", " : "") + text(value);
  return result + "]";
}

struct Printer {
  std::string operator()(const bool* value) const { return *value ? "true" : "false"; }
  std::string operator()(const int64_t* value) const { return std::to_string(*value); }
  std::string operator()(const double* value) const { return real_text(*value); }
  std::string operator()(const std::string* value) const {
    return value->empty() ? "null" : needs_quotes(*value) ? quoted(*value) : *value;
  }
  std::string operator()(std::span<double> list) const { return list_text(list, real_text); }
  std::string operator()(const std::vector<int64_t>* list) const {
    return list_text(*list, [](int64_t value) { return std::to_string(value); });
  }
};

}  // namespace

YAML::Node load_yaml(const std::string& text) {
  // YAML::Load stops without a word where a document ends, and YAML::LoadAll never ends on a text that begins with ','.
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  DocumentStart first, second;
  if (parser.HandleNextDocument(first) && parser.HandleNextDocument(second)) {
    throw YAML::ParserException(second.mark(), "one document is read, and something follows it here");
  }
  return YAML::Load(text);
}

std::string set_value(const ConfigKey& key, const YAML::Node& value) {
  return std::visit(Setter{key, value}, key.place);
}

std::string value_text(const ConfigKey& key) { return std::visit(Printer(), key.place); }

}  // namespace ghost

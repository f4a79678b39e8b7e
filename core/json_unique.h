// JSON whose objects name no key twice: the format allows it, and the second would win in silence.
#pragma once

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

namespace ghost {

// twice(key) is called for a key that its object has already; it is to throw. What is no JSON throws Json::exception.
template <class Json, class Twice>
Json parse_unique(const std::string& text, const Twice& twice) {
  std::vector<std::set<std::string>> keys;
  const typename Json::parser_callback_t see = [&](int, typename Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key) {
      const auto key = parsed.template get<std::string>();
      if (!keys.back().insert(key).second) twice(key);
    }
    return true;
  };
  return Json::parse(text, see);
}

}  // namespace ghost

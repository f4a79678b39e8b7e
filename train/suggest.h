// "did you mean ...?": the known word nearest to a mistyped one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ghost {

// Single-character insertions, deletions, replacements and swaps of neighbours that lead from a to b.
int edit_distance(std::string_view a, std::string_view b);

// The candidate a person most likely meant by `word`: few edits away, or abbreviated by it ("lr" for learning_rate,
// "batch" for batch_size). Empty where nothing is near. Of equally near ones the first.
std::string nearest_word(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace ghost

// What `check` says about a detection data set: its problems by kind, the boxes of each class, and every picture
// decoded and compared. Nothing is changed.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "data/detection_set.h"
#include "data/picture_inspect.h"

namespace ghost {

constexpr std::array kProblemKinds{
    DetectionProblem::Kind::kOutside,    DetectionProblem::Kind::kNoArea,       DetectionProblem::Kind::kThin,
    DetectionProblem::Kind::kDuplicate,  DetectionProblem::Kind::kUnknownClass, DetectionProblem::Kind::kMissingPicture,
    DetectionProblem::Kind::kUnreadable, DetectionProblem::Kind::kMalformed,    DetectionProblem::Kind::kOtherSize};
std::string problem_name(DetectionProblem::Kind kind);  // "box outside the picture", ...

struct ClassReport {
  int64_t boxes = 0, difficult = 0, crowd = 0, pictures = 0;
  // Smallest, median and largest, in pixels of the pictures; 0 without boxes.
  std::array<double, 3> width{}, height{}, area{};
};

struct DetectionReport {
  std::array<int64_t, kProblemKinds.size()> problems{};  // by kind, as in kProblemKinds
  std::vector<ClassReport> classes;
  int64_t boxes = 0, negatives = 0, most_boxes = 0;  // negatives: pictures without a box; most in one picture
  int64_t readable = 0;
  std::vector<std::pair<int64_t, std::string>> unreadable;  // sample and reason: the header was fine, the rest is not
  std::vector<std::vector<int64_t>> duplicates;             // groups of samples with the same bytes
  std::vector<std::vector<int64_t>> conflicting;            // those of them whose boxes differ
  int smallest_side = 0, largest_side = 0;                  // pixels, of all pictures
  std::vector<FileHash> hashes;                             // for overlap()
};

// Runs on the compute threads; the result does not depend on their number.
DetectionReport inspect_detection_set(const DetectionSet& set, const DecodeOptions& options = {});

// Pairs of samples (of the first, of the second set) with the same bytes: a validation picture that was trained on.
std::vector<std::pair<int64_t, int64_t>> overlap(const DetectionReport& first, const DetectionReport& second);

}  // namespace ghost

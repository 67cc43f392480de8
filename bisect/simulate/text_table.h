#pragma once

/// Tables of plain text: columns as wide as their widest cell, numbers to the right.

#include <string>
#include <vector>

namespace flakebisect::bisect::simulate {

class TextTable {
 public:
  /// `left`: how many leading columns are words, set to the left; all others are set to the right.
  TextTable(std::vector<std::string> header, std::size_t left);
  /// A row may be shorter than the header.
  void add(std::vector<std::string> row);
  /// Header, rows; each line indented by two spaces, without trailing spaces, ended by a newline. Cells are
  /// ASCII.
  std::string str() const;

 private:
  std::vector<std::vector<std::string>> rows_;
  std::size_t left_;
};

/// "12.3 %"
std::string percent(double share);
/// Seconds to three significant figures: "0.123", "12.3", "1,230".
std::string seconds_text(double seconds);
/// "1/3.4" below one, else "2.1"
std::string ratio_text(double ratio);

}  // namespace flakebisect::bisect::simulate

#pragma once

/// What every command's option parsing shares: common options, strict parsing with suggestions, durations.

#include <boost/program_options/options_description.hpp>
#include <boost/program_options/positional_options.hpp>
#include <boost/program_options/value_semantic.hpp>
#include <boost/program_options/variables_map.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// Compiled once, in command_line.cpp.
extern template class boost::program_options::typed_value<bool>;
extern template class boost::program_options::typed_value<double>;
extern template class boost::program_options::typed_value<std::string>;
extern template class boost::program_options::typed_value<std::uint32_t>;
extern template class boost::program_options::typed_value<std::uint64_t>;

namespace flakebisect::analyzer {

enum class ColorMode { automatic, always, never };

/// Options every command takes.
struct CommonOptions {
  std::string directory = ".";      ///< -C: where the repository, the configuration and the tests are
  std::optional<std::string> repo;  ///< --repo: the repository itself
  ColorMode color = ColorMode::automatic;
  bool quiet = false;
  bool verbose = false;
};

/// The description of the common options, to be added to a command's own.
boost::program_options::options_description common_options();

/// Parses `args` strictly (no abbreviations; positional words only where `positional` names an option for
/// them). An unknown option throws UsageError naming the nearest known one, a word too many
/// SurplusArgument with that word.
boost::program_options::variables_map parse_options(
    const std::vector<std::string>& args, const boost::program_options::options_description& options,
    const boost::program_options::positional_options_description& positional = {});

/// Reads the common options out of parsed ones. Throws UsageError for a bad --color.
CommonOptions read_common(const boost::program_options::variables_map& values);

/// "90s", "30m", "8h", "2d", "1h30m" or plain seconds, in seconds. Throws UsageError naming the option.
double parse_duration_seconds(const std::string& text, const std::string& option);

/// The candidate nearest to `word` by edit distance, where one is near enough to be what was meant.
std::optional<std::string> nearest(const std::string& word, const std::vector<std::string>& candidates);

/// The first word in `args` that is a command rather than an option or an option's value, removed from
/// `args`.
std::optional<std::string> take_command_word(std::vector<std::string>& args);

/// Whether --version is asked for: before any command, with no option but the common ones.
bool asks_for_version(const std::vector<std::string>& args);

/// Whether text written to the file descriptor should be coloured: NO_COLOR, TERM and --color rule.
bool use_color(ColorMode mode, int descriptor);

/// The width of the terminal behind the descriptor in columns; 80 where there is none.
std::size_t terminal_width(int descriptor);

}  // namespace flakebisect::analyzer

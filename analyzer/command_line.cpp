#include "analyzer/command_line.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <boost/program_options/parsers.hpp>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <numeric>
#include <string_view>
#include <typeinfo>

#include "analyzer/exit_status.h"

template class boost::program_options::typed_value<bool>;
template class boost::program_options::typed_value<double>;
template class boost::program_options::typed_value<std::string>;
template class boost::program_options::typed_value<std::uint32_t>;
template class boost::program_options::typed_value<std::uint64_t>;

namespace flakebisect::analyzer {

namespace po = boost::program_options;

namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      diagonal = above;
    }
  }
  return row.back();
}

/// The long names of the options, with their dashes.
std::vector<std::string> long_names(const po::options_description& options) {
  std::vector<std::string> names;
  for (const auto& option : options.options()) {
    if (!option->long_name().empty()) names.push_back("--" + option->long_name());
  }
  return names;
}

/// Common options that take a value in the next word: needed to find the command word behind them.
bool takes_value(const std::string& word) {
  static const std::vector<std::string> options = {"-C", "--directory", "--repo", "--color"};
  return std::find(options.begin(), options.end(), word) != options.end();
}

/// Boost reads "-1" for an unsigned number as its largest value.
void refuse_negative_counts(const po::parsed_options& parsed, const po::options_description& options) {
  for (const auto& option : parsed.options) {
    const auto* known = options.find_nothrow(option.string_key, false);
    if (known == nullptr || option.value.empty() || option.value[0].empty() || option.value[0][0] != '-')
      continue;
    const auto* typed = dynamic_cast<const po::typed_value_base*>(known->semantic().get());
    if (typed != nullptr && typed->value_type() == typeid(std::uint64_t)) {
      throw UsageError("--" + option.string_key + " takes a whole number that is not negative, not '" +
                       option.value[0] + "'");
    }
  }
}

/// The first word for which there is no place.
std::string first_surplus(const std::vector<std::string>& args, const po::options_description& options,
                          po::positional_options_description positional) {
  namespace style = po::command_line_style;
  static const char* const rest = "words without a place";
  po::options_description all;
  all.add(options).add_options()(rest, po::value<std::vector<std::string>>());
  positional.add(rest, -1);
  const auto parsed = po::command_line_parser(args)
                          .options(all)
                          .positional(positional)
                          .style(style::unix_style & ~style::allow_guessing)
                          .run();
  for (const auto& option : parsed.options) {
    if (option.string_key == rest && !option.value.empty()) return option.value.front();
  }
  return {};
}

/// A common option that is whole in one word.
bool is_common_word(const std::string& word) {
  return word == "-q" || word == "-v" || word == "--quiet" || word == "--verbose" ||
         word.starts_with("--color=") || word.starts_with("--repo=") || word.starts_with("--directory=") ||
         (word.size() > 2 && word.starts_with("-C"));
}

}  // namespace

po::options_description common_options() {
  po::options_description options("Common options");
  // clang-format off
  options.add_options()
    ("directory,C", po::value<std::string>()->default_value(".")->value_name("DIR"), "work in this directory")
    ("repo", po::value<std::string>()->value_name("PATH"),
     "the repository (default: the first of .testr, .testrepository, .stestr in the directory)")
    ("color", po::value<std::string>()->default_value("auto")->value_name("WHEN"), "auto, always or never")
    ("quiet,q", po::bool_switch(), "only results and errors")
    ("verbose,v", po::bool_switch(), "say more about what is done and why")
    ("help,h", po::bool_switch(), "show this help");
  // clang-format on
  return options;
}

po::variables_map parse_options(const std::vector<std::string>& args, const po::options_description& options,
                                const po::positional_options_description& positional) {
  namespace style = po::command_line_style;
  po::variables_map values;
  try {
    const auto parsed = po::command_line_parser(args)
                            .options(options)
                            .positional(positional)
                            .style(style::unix_style & ~style::allow_guessing)
                            .run();
    refuse_negative_counts(parsed, options);
    po::store(parsed, values);
    po::notify(values);
  } catch (const po::unknown_option& error) {
    const std::string word = error.get_option_name();
    const std::string name = word.substr(0, word.find('='));
    const auto suggestion = nearest(name, long_names(options));
    throw UsageError("unknown option '" + name + "'" +
                     (suggestion ? "; did you mean '" + *suggestion + "'?" : "; see --help"));
  } catch (const po::too_many_positional_options_error&) {
    throw SurplusArgument(first_surplus(args, options, positional));
  } catch (const po::error& error) {
    throw UsageError(std::string(error.what()) + "; see --help");
  }
  return values;
}

CommonOptions read_common(const po::variables_map& values) {
  CommonOptions common;
  common.directory = values["directory"].as<std::string>();
  if (values.count("repo") != 0) common.repo = values["repo"].as<std::string>();
  common.quiet = values["quiet"].as<bool>();
  common.verbose = values["verbose"].as<bool>();
  const auto color = values["color"].as<std::string>();
  if (color == "always") {
    common.color = ColorMode::always;
  } else if (color == "never") {
    common.color = ColorMode::never;
  } else if (color != "auto") {
    throw UsageError("--color takes auto, always or never, not '" + color + "'");
  }
  return common;
}

double parse_duration_seconds(const std::string& text, const std::string& option) {
  const auto fail = [&] {
    return UsageError(option + " takes a time such as 90s, 30m or 8h, not '" + text + "'");
  };
  double total = 0;
  const char* at = text.c_str();
  if (*at == '\0') throw fail();
  while (*at != '\0') {
    if ((*at < '0' || *at > '9') && *at != '.') throw fail();
    char* end = nullptr;
    const double number = std::strtod(at, &end);
    if (end == at || !std::isfinite(number)) throw fail();
    switch (*end) {
      case '\0':
        total += number;
        break;
      case 's':
        total += number;
        ++end;
        break;
      case 'm':
        total += number * 60;
        ++end;
        break;
      case 'h':
        total += number * 3600;
        ++end;
        break;
      case 'd':
        total += number * 86400;
        ++end;
        break;
      default:
        throw fail();
    }
    at = end;
  }
  if (!(total > 0)) throw UsageError(option + " must be more than nothing, not '" + text + "'");
  return total;
}

std::optional<std::string> nearest(const std::string& word, const std::vector<std::string>& candidates) {
  std::optional<std::string> best;
  std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const auto& candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

std::optional<std::string> take_command_word(std::vector<std::string>& args) {
  for (std::size_t i = 0; i < args.size(); ++i) {
    const std::string& word = args[i];
    if (takes_value(word)) {
      ++i;
    } else if (word.empty() || word[0] != '-') {
      std::string command = word;
      args.erase(args.begin() + static_cast<std::ptrdiff_t>(i));
      return command;
    } else if (is_common_word(word)) {
      continue;
    } else {
      return std::nullopt;  // an option of the default command: what follows may be its value
    }
  }
  return std::nullopt;
}

bool asks_for_version(const std::vector<std::string>& args) {
  for (std::size_t i = 0; i < args.size(); ++i) {
    if (args[i] == "--version") return true;
    if (takes_value(args[i]))
      ++i;
    else if (!is_common_word(args[i]))
      return false;
  }
  return false;
}

bool use_color(ColorMode mode, int descriptor) {
  if (mode != ColorMode::automatic) return mode == ColorMode::always;
  const char* no_color = std::getenv("NO_COLOR");
  if (no_color != nullptr && *no_color != '\0') return false;
  const char* term = std::getenv("TERM");
  return isatty(descriptor) == 1 && term != nullptr && std::string_view(term) != "dumb";
}

std::size_t terminal_width(int descriptor) {
  winsize size{};
  if (ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

}  // namespace flakebisect::analyzer

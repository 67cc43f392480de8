#include <fmt/format.h>

#include <cctype>
#include <filesystem>

#include "bisect/command_template.h"
#include "bisect/rpc_channel.h"
#include "bisect/server_runner.h"

namespace flakebisect::bisect {

namespace {

/// Tenths of a second without output after which the recipe gives a stuck run up.
constexpr int kQuietTenths = 6000;

/// The operand of printf(1) that writes these bytes: plain ASCII as it is, the rest in octal.
std::string printf_format(const std::string& bytes) {
  std::string format = "'";
  for (const char character : bytes) {
    const auto byte = static_cast<unsigned char>(character);
    const bool plain = std::isalnum(byte) != 0 ||
                       std::string_view(" ,.:;_-+/(){}[]\"<>=@").find(character) != std::string_view::npos;
    if (plain && byte < 0x80) {
      format += character;
    } else {
      format += fmt::format("\\{:03o}", byte);
    }
  }
  return format + "'";
}

}  // namespace

std::string server_recipe(const std::string& command, const std::string& directory,
                          const std::vector<std::string>& tests, bool ordered, bool isolated) {
  const std::string hello = rpc_packets(HelloMessage{});
  const std::string run =
      rpc_packets(RunMessage{nonce_of("run"), tests, ordered ? "given" : "", isolated ? "process" : ""});
  const std::string goodbye = rpc_packets(GoodbyeMessage{});
  // A named pipe carries the requests, so that the server's input stays open until it has said Done (or is
  // gone). Nothing is sent before Hello has come back. One line: reports and terminals may not keep line
  // ends.
  std::string text = "(";
  if (!directory.empty()) {
    text += fmt::format(" cd {} || exit 6;",
                        shell_quote(std::filesystem::absolute(directory).lexically_normal().string()));
  }
  text += fmt::format(
      R"( d=$(mktemp -d) && mkfifo "$d/in" && : >"$d/out" || exit 6; trap '' PIPE;)"
      R"( sh -c {} <"$d/in" >"$d/out" & exec 3>"$d/in";)"
      R"( said() {{ q=0; until grep -aqs "\"msg\" *: *\"$1\"" "$d/out"; do kill -0 $! 2>/dev/null || break;)"
      R"( n=$(wc -c <"$d/out"); [ "$n" = "$o" ] && q=$((q+1)) || q=0; o=$n; [ $q -lt {} ] || break; sleep 0.1;)"
      R"( done; }}; printf {} >&3; said Hello; printf {} >&3; said Done; printf {} >&3; exec 3>&-; wait $!;)"
      R"( subunit-filter --success --without testrepository-rpc <"$d/out" | subunit2pyunit; s=$?; rm -r "$d"; exit $s ))",
      shell_quote(command), kQuietTenths, printf_format(hello), printf_format(run), printf_format(goodbye));
  return text;
}

}  // namespace flakebisect::bisect

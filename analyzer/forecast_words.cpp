#include "analyzer/forecast_words.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <ctime>

#include "analyzer/status_view.h"

namespace flakebisect::analyzer {

namespace {

double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

}  // namespace

std::optional<ReportForecast> make_forecast(const bisect::ForecastInput& input, double spent_seconds,
                                            double limit_seconds) {
  const double processor_end = thread_seconds() + limit_seconds;
  const auto wall_end =
      std::chrono::steady_clock::now() + std::chrono::duration<double>(std::max(0.0, limit_seconds));
  const auto forecast = bisect::forecast(input, [&] {
    return thread_seconds() >= processor_end || std::chrono::steady_clock::now() >= wall_end;
  });
  if (forecast.trials == 0 || (forecast.finished.empty() && forecast.at_least_seconds <= 0))
    return std::nullopt;
  ReportForecast result;
  result.simulations = forecast.trials;
  result.unfinished = forecast.unfinished;
  result.median_seconds = forecast.median_seconds;
  result.low_seconds = forecast.low_seconds;
  result.high_seconds = forecast.high_seconds;
  result.spent_seconds = spent_seconds;
  result.share_with_as_much_again = forecast.share_within(spent_seconds);
  return result;
}

std::string forecast_words(const ReportForecast& forecast) {
  const std::string simulations =
      fmt::format("{} simulation{}", forecast.simulations, forecast.simulations == 1 ? "" : "s");
  std::string words;
  if (forecast.median_seconds) {
    words = fmt::format("Played on from here in {}, half of the searches have their verdict within {} more",
                        simulations, format_seconds(*forecast.median_seconds));
    if (forecast.low_seconds && forecast.high_seconds) {
      words += fmt::format(", eight of ten within {} to {}", format_seconds(*forecast.low_seconds),
                           format_seconds(*forecast.high_seconds));
    } else if (forecast.low_seconds) {
      words += fmt::format(", the quickest tenth within {}; some had none when the simulation was stopped",
                           format_seconds(*forecast.low_seconds));
    }
  } else {
    words =
        fmt::format("How much more time it takes cannot be told: of {}, {} had no verdict when {} stopped",
                    simulations, forecast.unfinished, forecast.unfinished == 1 ? "it was" : "they were");
  }
  if (forecast.spent_seconds > 0 && forecast.simulations >= 5) {
    words += fmt::format(". As much time again ({}) suffices in {:.0f} % of them",
                         format_seconds(forecast.spent_seconds), 100 * forecast.share_with_as_much_again);
  }
  return words + ".";
}

}  // namespace flakebisect::analyzer

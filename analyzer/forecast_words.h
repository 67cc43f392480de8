#pragma once

/// What more time would buy, for the report of a search that ended without a verdict.

#include <optional>
#include <string>

#include "analyzer/report.h"
#include "bisect/forecast.h"

namespace flakebisect::analyzer {

/// Simulates for at most `limit_seconds` of processor time and of wall clock, whichever ends first.
/// `spent_seconds`: what the search took so far. Nothing where not one simulation came to an end.
std::optional<ReportForecast> make_forecast(const bisect::ForecastInput& input, double spent_seconds,
                                            double limit_seconds);

/// One or two sentences.
std::string forecast_words(const ReportForecast& forecast);

}  // namespace flakebisect::analyzer

#pragma once

/// What a report says of where it was made, and what a resumed session compares.

#include <string>

#include "analyzer/report.h"

namespace flakebisect::analyzer {

/// Host, git revision of the directory (with "-dirty-" and a hash of the changes where files git tracks are
/// changed; empty outside a checkout or without git) and versions.
ReportEnvironment read_environment(const std::string& directory);

}  // namespace flakebisect::analyzer

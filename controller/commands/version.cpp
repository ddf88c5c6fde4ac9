#include "controller/commands/version.hpp"

#include <fmt/format.h>
#include <libpq-fe.h>

#include "controller/exit_codes.hpp"

namespace verdigris {

int run_version(const Invocation&, Output& output) {
  const int libpq = PQlibVersion();
  const std::string libpq_text = fmt::format("{}.{}", libpq / 10000, libpq % 10000);
  output.result(fmt::format("verdigris {}\nlibpq {}", VERDIGRIS_VERSION, libpq_text));
  output.document({{"version", VERDIGRIS_VERSION}, {"libpq", libpq_text}});
  return kDone;
}

}  // namespace verdigris

#include "bench/recipe.hpp"

#include "bench/dataset.hpp"
#include "controller/process.hpp"
#include "replication/errors.hpp"

namespace verdigris::bench {
namespace {

using namespace std::chrono_literals;

// As pgbouncer.ini has it.
std::string address(const Conninfo& conninfo) {
  return "host=" + conninfo.value("host") + " port=" + conninfo.value("port");
}

// For CREATE SUBSCRIPTION and psql alike: nothing in it needs a quote.
std::string plain(const Conninfo& conninfo) {
  std::string text;
  for (const auto& [key, value] : conninfo.values()) text += (text.empty() ? "" : " ") + key + "=" + value;
  return text;
}

}  // namespace

std::string Recipe::run(const std::vector<std::string>& arguments) const {
  std::string consoles, inis;
  for (const auto& pooler : poolers_) {
    consoles += (consoles.empty() ? "" : "\n") + plain(pooler.admin());
    inis += (inis.empty() ? "" : "\n") + pooler.ini().string();
  }
  const auto blue = world_.conninfo("blue", "verdigris", database());
  const auto green = world_.conninfo("green", "verdigris", database());
  std::vector<std::string> argv{script_.string()};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  const auto result = run_tool({argv,
                                {{"PSQL", world_.psql().string()},
                                 {"BLUE", plain(blue)},
                                 {"GREEN", plain(green)},
                                 {"BLUE_ADDRESS", address(blue)},
                                 {"GREEN_ADDRESS", address(green)},
                                 {"CONSOLES", consoles},
                                 {"INIS", inis}},
                                {}},
                               Deadline::after(5min));
  if (result.exit_code != 0)
    throw Error("bench.crossing", "the recipe ended with " + std::to_string(result.exit_code) + ": " + result.errors);
  return result.output;
}

void Recipe::prepare() {
  for (const std::string color : {"blue", "green"}) {
    create_database(color);
    create_items(world_.conninfo(color, "verdigris", database()), scenario_.tables, Deadline::after(10min));
  }
  run({"--lay", "blue", "green"});
}

Crossing Recipe::move(const std::string& from, const std::string& to) {
  return crossing_of_recipe(Json::parse(run({from, to}), nullptr, false));
}

}  // namespace verdigris::bench

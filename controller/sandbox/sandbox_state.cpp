#include "controller/sandbox/sandbox_state.hpp"

#include <fstream>
#include <nlohmann/json.hpp>

#include "replication/errors.hpp"

namespace verdigris {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

Json to_json(const SandboxServer& server) {
  return {{"major", server.major},
          {"version", server.version},
          {"pid", server.pid},
          {"host", server.host},
          {"port", server.port}};
}

SandboxServer to_server(const Json& json) {
  return {json.at("major").get<int>(), json.at("version").get<std::string>(), json.at("pid").get<pid_t>(),
          json.at("host").get<std::string>(), json.at("port").get<int>()};
}

fs::path file_in(const fs::path& dir) {
  return dir / "sandbox.json";
}

}  // namespace

Conninfo SandboxState::conninfo(const SandboxServer& server, const std::string& user) const {
  return Conninfo()
      .with("host", server.host)
      .with("port", std::to_string(server.port))
      .with("user", user)
      .with("dbname", "shop")
      .with("passfile", passfile.string());
}

void write_state(const SandboxState& state) {
  const Json json{{"schema", "verdigris.sandbox/1"},       {"phase", state.phase},
                  {"playbook", state.playbook().string()}, {"passfile", state.passfile.string()},
                  {"blue", to_json(state.blue)},           {"green", to_json(state.green)},
                  {"pooler", to_json(state.pooler)}};
  const fs::path staged = file_in(state.dir).string() + ".new";
  std::ofstream out(staged, std::ios::trunc);
  out << json.dump(2) << "\n";
  out.close();
  if (!out) throw Error("file", staged.string() + ": cannot write");
  fs::rename(staged, file_in(state.dir));
}

std::optional<SandboxState> read_state(const fs::path& dir) {
  std::ifstream in(file_in(dir));
  if (!in) return std::nullopt;
  try {
    const Json json = Json::parse(in);
    SandboxState state;
    state.dir = dir;
    state.phase = json.at("phase").get<std::string>();
    state.passfile = json.at("passfile").get<std::string>();
    state.blue = to_server(json.at("blue"));
    state.green = to_server(json.at("green"));
    state.pooler = to_server(json.at("pooler"));
    return state;
  } catch (const Json::exception& error) {
    throw Error("sandbox.state", file_in(dir).string() + ": " + error.what());
  }
}

SandboxState require_sandbox(const fs::path& dir) {
  auto state = read_state(fs::absolute(dir));
  if (!state || state->phase != "ready")
    throw Refused("sandbox.absent", dir.string() + " holds no running sandbox", "Start one with \"sandbox up\".");
  return *state;
}

}  // namespace verdigris

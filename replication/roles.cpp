#include "replication/roles.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "replication/secret.hpp"

namespace verdigris {
namespace {

struct Role {
  std::string attributes;  // "SUPERUSER NOINHERIT ...", of words that the server gave
  bool is_superuser = false;
  bool can_login = false;
  std::int64_t connection_limit = -1;
  std::string valid_until;  // "infinity" also where nothing was said
  Secret verifier;
  bool operator==(const Role& other) const {
    return attributes == other.attributes && connection_limit == other.connection_limit &&
           valid_until == other.valid_until && verifier.reveal() == other.verifier.reveal();
  }
};

using Roles = std::map<std::string, Role>;

Roles read_roles(Connection& on, Deadline deadline) {
  const Result answer = on.query(Sql(R"(
    SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls,
           rolconnlimit, rolvaliduntil, rolpassword
    FROM pg_authid WHERE rolname !~ '^pg_')"),
                                 deadline);
  static constexpr const char* kWords[] = {"SUPERUSER", "INHERIT",     "CREATEROLE", "CREATEDB",
                                           "LOGIN",     "REPLICATION", "BYPASSRLS"};
  Roles roles;
  for (const Row& row : answer.rows(11)) {
    Role role;
    for (int i = 0; i < 7; ++i) role.attributes += (row.boolean(i + 1) ? " " : " NO") + std::string(kWords[i]);
    role.is_superuser = row.boolean(1);
    role.can_login = row.boolean(5);
    role.connection_limit = row.integer(8);
    role.valid_until = row.text_or_null(9).value_or("infinity");
    role.verifier = Secret(row.text_or_null(10).value_or(""));
    roles.emplace(row.text(0), std::move(role));
  }
  return roles;
}

// pg_*: reserved and made by initdb of each major.
bool is_predefined(const std::string& role) {
  return role.starts_with("pg_");
}

// One run of copy_roles(): what both sides have, and the target's transaction.
class RoleCopy {
 public:
  RoleCopy(Connection& source, Transaction& target, const RoleScope& scope, bool is_dry)
      : source_(source), target_(target), scope_(scope), is_dry_(is_dry), deadline_(target.deadline()) {}

  RoleReport run() {
    if (!is_dry_) keep_verifiers_out_of_the_log();
    copy_attributes();
    copy_memberships();
    copy_settings();
    copy_grants();
    return std::move(report_);
  }

 private:
  bool is_ours(const std::string& role) const {
    return std::find(scope_.ours.begin(), scope_.ours.end(), role) != scope_.ours.end();
  }
  bool exists(const std::string& role) const { return present_.contains(role); }

  void keep_verifiers_out_of_the_log() {
    target_.execute(Sql("SET LOCAL log_statement = 'none'"));
    target_.execute(Sql("SET LOCAL log_min_duration_statement = -1"));
    target_.execute(Sql("SET LOCAL log_min_error_statement = 'panic'"));
  }

  void copy_attributes() {
    const Roles wanted = read_roles(source_, deadline_);
    const Roles found = read_roles(target_.connection(), deadline_);
    for (const auto& [name, role] : found) present_.insert(name);
    for (const auto& [name, role] : wanted) {
      if (is_ours(name)) continue;
      const auto old = found.find(name);
      if (old == found.end())
        write_role(Sql("CREATE ROLE {}", Identifier(name)), role);
      else if (role.can_login && !role.is_superuser && !old->second.is_superuser && !(role == old->second)) {
        write_role(Sql("ALTER ROLE {}", Identifier(name)), role);
        report_.overwritten.push_back(name);
      }
      present_.insert(name);
    }
  }

  // What changes something: said in a dry run, sent otherwise.
  void act(const Sql& statement) {
    if (is_dry_) report_.statements.push_back(statement.text());
    else target_.execute(statement);
  }

  // Verifiers are as good as passwords: they are shown nowhere.
  Sql password_of(const Role& role) const {
    if (role.verifier.is_empty()) return Sql("PASSWORD NULL");
    return is_dry_ ? Sql("PASSWORD '<its verifier>'") : Sql("PASSWORD {}", Literal(role.verifier.reveal()));
  }

  void write_role(const Sql& verb, const Role& role) {
    ++report_.roles;
    // The words were chosen from a fixed list above.
    const Sql attributes = Sql::written_by_operator(role.attributes);
    act(Sql("{} WITH {} CONNECTION LIMIT {} VALID UNTIL {} {}", verb, attributes, Number(role.connection_limit),
            Literal(role.valid_until), password_of(role)));
  }

  // role, member -> admin, inherit, set. Before 16 there are neither INHERIT nor SET: the member's own INHERIT decides,
  // as it does when 16 and later are told nothing.
  using Memberships = std::map<std::pair<std::string, std::string>, std::tuple<bool, std::optional<bool>, bool>>;

  static Memberships read_memberships(Connection& on, Deadline deadline) {
    const Result answer = on.query(Sql(R"(
      SELECT r.rolname, m.rolname, bool_or(a.admin_option), bool_or((to_jsonb(a) ->> 'inherit_option')::bool),
             coalesce(bool_or((to_jsonb(a) ->> 'set_option')::bool), true)
      FROM pg_auth_members a JOIN pg_roles r ON r.oid = a.roleid JOIN pg_roles m ON m.oid = a.member
      WHERE m.rolname !~ '^pg_' GROUP BY 1, 2)"),
                                   deadline);
    Memberships all;
    for (const Row& row : answer.rows(5)) {
      std::optional<bool> inherits;
      if (!row.is_null(3)) inherits = row.boolean(3);
      all[{row.text(0), row.text(1)}] = {row.boolean(2), inherits, row.boolean(4)};
    }
    return all;
  }

  void copy_memberships() {
    const Memberships found = read_memberships(target_.connection(), deadline_);
    for (const auto& [pair, options] : read_memberships(source_, deadline_)) {
      const auto& [role, member] = pair;
      if (found.contains(pair) || is_ours(role) || is_ours(member)) continue;
      if (!exists(member) || (is_predefined(role) && !has_role(role))) continue;
      grant_membership(role, member, options);
    }
  }

  void grant_membership(const std::string& role, const std::string& member,
                        const std::tuple<bool, std::optional<bool>, bool>& options) {
    ++report_.memberships;
    const auto& [is_admin, inherits, sets] = options;
    const auto word = [](bool value) { return value ? Sql("TRUE") : Sql("FALSE"); };
    const Sql grant("GRANT {} TO {}", Identifier(role), Identifier(member));
    if (target_.connection().major() < 16 || !inherits)
      act(is_admin ? Sql("{} WITH ADMIN OPTION", grant) : grant);
    else
      act(Sql("{} WITH ADMIN {}, INHERIT {}, SET {}", grant, word(is_admin), word(*inherits), word(sets)));
  }

  bool has_role(const std::string& role) {
    return target_.query(Sql("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)"), {role}).one_row(1).boolean(0);
  }

  // (role or "", is for this database only, name) -> value
  using Settings = std::map<std::tuple<std::string, bool, std::string>, std::string>;

  static Settings read_settings(Connection& on, Deadline deadline) {
    const Result answer = on.query(Sql(R"(
      SELECT coalesce(r.rolname, ''), s.setdatabase <> 0, split_part(c, '=', 1), substr(c, strpos(c, '=') + 1)
      FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole CROSS JOIN unnest(s.setconfig) AS c
      WHERE (s.setrole = 0 OR r.oid IS NOT NULL) AND (s.setrole <> 0 OR s.setdatabase <> 0)
        AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())))"),
                                   deadline);
    Settings all;
    for (const Row& row : answer.rows(4)) all[{row.text(0), row.boolean(1), row.text(2)}] = row.text(3);
    return all;
  }

  void copy_settings() {
    const Settings found = read_settings(target_.connection(), deadline_);
    for (const auto& [key, value] : read_settings(source_, deadline_)) {
      const auto& [role, in_database, name] = key;
      if (found.contains(key) || (!role.empty() && (is_ours(role) || is_predefined(role) || !exists(role)))) continue;
      // A library that the target lacks would refuse every login, ours included.
      if (name.ends_with("_preload_libraries") || !try_setting(key, value))
        report_.left_out.push_back((role.empty() ? "database" : role) + ": " + name);
      else
        ++report_.settings;
    }
  }

  bool try_setting(const std::tuple<std::string, bool, std::string>& key, const std::string& value) {
    if (is_dry_ && !is_setting(std::get<2>(key))) return false;
    if (is_dry_) {
      act(alter_setting(key, value));
      return true;
    }
    target_.execute(Sql("SAVEPOINT setting"));
    try {
      take_list(std::get<2>(key), value);
      target_.execute(alter_setting(key, value));
      target_.execute(Sql("SET LOCAL search_path = pg_catalog, pg_temp"));  // take_list() may have moved it
      target_.execute(Sql("RELEASE SAVEPOINT setting"));
      return true;
    } catch (const ServerError& error) {
      target_.execute(Sql("ROLLBACK TO SAVEPOINT setting"));
      // Unknown there, or a value that this major does not take.
      if (error.sqlstate() == "42704" || error.sqlstate() == "22023") return false;
      throw;
    }
  }

  // Whether a server of this major takes the value is known only by trying; a name with a dot is always taken.
  bool is_setting(const std::string& name) {
    return name.find('.') != std::string::npos ||
           target_.query(Sql("SELECT EXISTS (SELECT FROM pg_settings WHERE name = lower($1))"), {name}).one_row(1).boolean(0);
  }

  static bool is_list(const std::string& name) { return name == "search_path" || name == "temp_tablespaces"; }

  // The stored text of a list is its elements, quoted: as one literal it would become one element.
  void take_list(const std::string& name, const std::string& value) {
    if (is_list(name)) target_.query(Sql("SELECT set_config($1, $2, true)"), {name, value});
  }

  Sql alter_setting(const std::tuple<std::string, bool, std::string>& key, const std::string& value) {
    const auto& [role, in_database, name] = key;
    const Identifier database(current_database());
    const Sql scope = role.empty()  ? Sql("ALTER DATABASE {}", database)
                      : in_database ? Sql("ALTER ROLE {} IN DATABASE {}", Identifier(role), database)
                                    : Sql("ALTER ROLE {}", Identifier(role));
    if (is_list(name)) return Sql("{} SET {} FROM CURRENT", scope, Identifier(name));
    std::vector<Identifier> parts;
    for (std::size_t start = 0; start <= name.size();) {
      const auto dot = std::min(name.find('.', start), name.size());
      parts.emplace_back(name.substr(start, dot - start));
      start = dot + 1;
    }
    return Sql("{} SET {} = {}", scope, Sql::joined(parts, "."), Literal(value));
  }

  std::string current_database() {
    return target_.query(Sql("SELECT current_database()"), Params{}).one_row(1).text(0);
  }

  // (role or "" for PUBLIC, privilege) -> with grant option
  using Grants = std::map<std::pair<std::string, std::string>, bool>;

  static Grants read_grants(Connection& on, Deadline deadline) {
    const Result answer = on.query(Sql(R"(
      SELECT coalesce(r.rolname, ''), a.privilege_type, bool_or(a.is_grantable)
      FROM pg_database d CROSS JOIN aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) AS a
      LEFT JOIN pg_roles r ON r.oid = a.grantee
      WHERE d.datname = current_database() AND a.grantee <> d.datdba GROUP BY 1, 2)"),
                                   deadline);
    Grants all;
    for (const Row& row : answer.rows(3)) all[{row.text(0), row.text(1)}] = row.boolean(2);
    return all;
  }

  // What the connection fence has taken away and will put back: while it is closed, that is where CONNECT is granted.
  Grants read_saved_connects() {
    const Result answer = target_.query(Sql(R"(
      SELECT coalesce(r.rolname, ''), bool_or((g ->> 'grantable')::bool)
      FROM verdigris.saved s CROSS JOIN jsonb_array_elements(s.value -> 'grants') AS g
      LEFT JOIN pg_roles r ON r.oid = (g ->> 'grantee')::oid
      WHERE s.deployment = $1 AND s.key = 'access' AND (g ->> 'grantee' = '0' OR r.oid IS NOT NULL) GROUP BY 1)"),
                                        {scope_.closed_deployment});
    Grants all;
    for (const Row& row : answer.rows(2)) all[{row.text(0), "CONNECT"}] = row.boolean(1);
    return all;
  }

  bool is_closed() const { return !scope_.closed_deployment.empty(); }

  void save_connect(const std::string& role, bool with_option) {
    const Sql statement(R"(
      UPDATE verdigris.saved SET value = jsonb_set(value, '{grants}', value -> 'grants' || jsonb_build_array(
        jsonb_build_object('grantor', d.datdba, 'grantee', coalesce(r.oid, 0::oid), 'grantable', $3::bool, 'by_owner', true)))
      FROM pg_database d LEFT JOIN pg_roles r ON r.rolname = $2
      WHERE d.datname = current_database() AND deployment = $1 AND key = 'access')");
    if (is_dry_) return act(statement);
    target_.query(statement, {scope_.closed_deployment, role, with_option ? "true" : "false"});
  }

  void copy_grants() {
    Grants found = read_grants(target_.connection(), deadline_);
    if (is_closed()) {
      std::erase_if(found, [](const auto& grant) { return grant.first.second == "CONNECT"; });
      found.merge(read_saved_connects());
    }
    for (const auto& [key, with_option] : read_grants(source_, deadline_)) {
      const auto& [role, privilege] = key;
      const auto old = found.find(key);
      if (old != found.end() && (old->second || !with_option)) continue;
      if (!role.empty() && (is_ours(role) || !exists(role))) continue;
      grant(role, privilege, with_option);
    }
  }

  void grant(const std::string& role, const std::string& privilege, bool with_option) {
    ++report_.grants;
    if (privilege == "CONNECT" && is_closed()) return save_connect(role, with_option);
    const Sql what = privilege == "CONNECT" ? Sql("CONNECT") : privilege == "CREATE" ? Sql("CREATE") : Sql("TEMPORARY");
    const Sql whom = role.empty() ? Sql("PUBLIC") : Sql("{}", Identifier(role));
    const Sql option = with_option ? Sql(" WITH GRANT OPTION") : Sql("");
    act(Sql("GRANT {} ON DATABASE {} TO {}{}", what, Identifier(current_database()), whom, option));
  }

  Connection& source_;
  Transaction& target_;
  const RoleScope& scope_;
  bool is_dry_;
  Deadline deadline_;
  std::set<std::string> present_;  // on the target by now
  RoleReport report_;
};

}  // namespace

RoleReport copy_roles(Connection& source, Connection& target, const RoleScope& scope, bool dry, Deadline deadline) {
  Transaction transaction(target, deadline);
  RoleReport report = RoleCopy(source, transaction, scope, dry).run();
  if (!dry) transaction.commit();
  return report;
}

}  // namespace verdigris

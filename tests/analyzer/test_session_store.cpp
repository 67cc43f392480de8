#include <SQLiteCpp/SQLiteCpp.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "analyzer/index_list.h"
#include "analyzer/session_store.h"

using namespace flakebisect::analyzer;
using Catch::Matchers::Contains;
using flakebisect::bisect::Outcome;
using flakebisect::bisect::Source;
using flakebisect::bisect::TestIndex;

namespace {

struct TemporaryFolder {
  std::filesystem::path path;
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "flakebisect-test-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
};

SessionInfo example() {
  SessionInfo info;
  info.directory = "/project";
  info.run_id = "1615";
  info.worker = "worker-0";
  info.victim = "tests.a";
  info.options = "{}";
  info.problem = "{}";
  info.context = "{}";
  return info;
}

StoredObservation failing(std::vector<TestIndex> ran) {
  StoredObservation stored;
  stored.asked = ran;
  stored.observation.ran = std::move(ran);
  stored.observation.outcome = Outcome::fail;
  stored.observation.seconds = 1.5;
  stored.observation.process = 0xffffffffffULL;
  stored.signature = "AssertionError at x";
  stored.traceback = "Traceback …";
  return stored;
}

}  // namespace

TEST_CASE("index lists come back as they were") {
  for (const std::vector<TestIndex>& indices :
       {std::vector<TestIndex>{}, {0}, {0, 1, 2, 3}, {3, 2, 1}, {7, 8, 1, 2, 2}, {4294967295U}}) {
    CHECK(decode_indices(encode_indices(indices)) == indices);
  }
  CHECK(encode_indices({0, 1, 2, 15, 14}) == "0-2,15,14");
  for (const char* bad : {",", "1,", "a", "3-1", "1-", "-1", "1;2", "99999999999"}) {
    CHECK_THROWS_AS(decode_indices(bad), std::invalid_argument);
  }
}

TEST_CASE("observations survive the store being closed, in order") {
  TemporaryFolder folder;
  const auto file = (folder.path / "deep" / "sessions.sqlite").string();
  std::int64_t id = 0;
  {
    SessionStore store(file);
    id = store.create(example());
    store.add(id, failing({0, 1, 5}));
    auto passing = failing({2});
    passing.observation.outcome = Outcome::pass;
    passing.observation.source = Source::history;
    passing.observation.weight = 0.25;
    passing.observation.victim_runs = 7;
    passing.observation.victim_runs_asked = 32;
    passing.signature.clear();
    store.add(id, passing);
  }
  SessionStore store(file);
  const auto stored = store.observations(id);
  REQUIRE(stored.size() == 2);
  CHECK(stored[0].observation.ran == std::vector<TestIndex>{0, 1, 5});
  CHECK(stored[0].observation.outcome == Outcome::fail);
  CHECK(stored[0].observation.process == 0xffffffffffULL);
  CHECK(stored[0].observation.seconds == 1.5);
  CHECK(stored[1].observation.weight == 0.25);
  CHECK(stored[1].observation.source == Source::history);
  CHECK(stored[0].observation.victim_runs == 1);
  CHECK(stored[0].observation.victim_runs_asked == 1);
  CHECK(stored[1].observation.victim_runs == 7);
  CHECK(stored[1].observation.victim_runs_asked == 32);
  const auto info = store.find(id);
  REQUIRE(info);
  CHECK(info->observations == 1);
  CHECK(info->victim == "tests.a");
  const auto failures = store.failures(id);
  REQUIRE(failures.size() == 1);
  CHECK(failures[0].matches);
  CHECK(failures[0].count == 1);
  CHECK(failures[0].traceback == "Traceback …");
  REQUIRE(store.latest_unfinished());
  CHECK(store.latest_unfinished()->session == id);
  CHECK(store.latest_unfinished()->campaign == 0);
  store.finish(id, "done", "{}");
  CHECK_FALSE(store.latest_unfinished());
  CHECK(store.find(id)->state == "done");
}

TEST_CASE("in a file of schema 3 each probe ran the victim once") {
  TemporaryFolder folder;
  const auto file = (folder.path / "sessions.sqlite").string();
  std::int64_t id = 0;
  {
    SessionStore store(file);
    id = store.create(example(), {failing({0})});
  }
  {
    SQLite::Database database(file, SQLite::OPEN_READWRITE);
    database.exec(
        "ALTER TABLE observation DROP COLUMN victim_runs; ALTER TABLE observation DROP COLUMN "
        "victim_runs_asked;"
        " PRAGMA user_version = 3");
  }
  SessionStore store(file);
  auto repeated = failing({1});
  repeated.observation.victim_runs = repeated.observation.victim_runs_asked = 5;
  store.add(id, repeated);
  const auto stored = store.observations(id);
  REQUIRE(stored.size() == 2);
  CHECK(stored[0].observation.victim_runs == 1);
  CHECK(stored[0].observation.victim_runs_asked == 1);
  CHECK(stored[0].signature == "AssertionError at x");
  CHECK(stored[1].observation.victim_runs == 5);
}

TEST_CASE("what belongs together is committed together") {
  TemporaryFolder folder;
  const auto file = (folder.path / "sessions.sqlite").string();
  SessionStore store(file);
  {
    // The second of three cannot be written: none is.
    SQLite::Database database(file, SQLite::OPEN_READWRITE);
    database.exec(
        "CREATE TRIGGER full BEFORE INSERT ON observation WHEN NEW.sequence = 2"
        " BEGIN SELECT raise(ABORT, 'no space'); END");
    CHECK_THROWS_AS(store.create(example(), {failing({0}), failing({1}), failing({2})}), SessionError);
    CHECK(store.list().empty());
    const auto id = store.create(example());
    CHECK_THROWS_AS(store.add(id, {failing({0}), failing({1}), failing({2})}), SessionError);
    CHECK(store.observations(id).empty());
    database.exec("DROP TRIGGER full");
  }
  const auto id = store.create(example(), {failing({0}), failing({1})});
  store.add(id, failing({2}));
  store.add(id, {failing({3}), failing({4})});
  const auto stored = store.observations(id);
  REQUIRE(stored.size() == 5);
  for (TestIndex i = 0; i < 5; ++i) CHECK(stored[i].asked == std::vector<TestIndex>{i});
}

TEST_CASE("one process works on a session, the second is told who") {
  TemporaryFolder folder;
  const auto file = (folder.path / "sessions.sqlite").string();
  int to_child[2];
  int to_parent[2];
  REQUIRE(pipe(to_child) == 0);
  REQUIRE(pipe(to_parent) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    char byte = 0;
    SessionStore store(file);
    store.create(example());
    (void)!write(to_parent[1], "x", 1);
    (void)!read(to_child[0], &byte, 1);  // held until the parent has looked; then dies without cleaning up
    _exit(0);
  }
  char byte = 0;
  REQUIRE(read(to_parent[0], &byte, 1) == 1);
  SessionStore store(file);
  CHECK_THROWS_WITH(store.hold(1), Contains("pid " + std::to_string(child)));
  CHECK_THROWS_AS(store.remove(1), SessionError);
  CHECK(store.holder(1));
  REQUIRE(write(to_child[1], "x", 1) == 1);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK_FALSE(store.holder(1));
  CHECK_NOTHROW(store.hold(1));
  store.remove(1);
  CHECK_FALSE(store.find(1));
  CHECK(store.observations(1).empty());
  for (const int descriptor : {to_child[0], to_child[1], to_parent[0], to_parent[1]}) close(descriptor);
}

TEST_CASE("many processes make one session file at once") {
  for (int round = 0; round < 40; ++round) {
    const TemporaryFolder folder;
    const std::string file = (folder.path / "sessions.sqlite").string();
    int gate[2];
    REQUIRE(pipe(gate) == 0);
    std::vector<pid_t> children;
    for (int number = 0; number < 8; ++number) {
      const pid_t child = fork();
      REQUIRE(child >= 0);
      if (child == 0) {
        close(gate[1]);
        char nothing = 0;
        const bool opened = read(gate[0], &nothing, 1) == 0;  // they start together: when the gate is closed
        try {
          SessionStore store(file);
          store.create(example(), {});
        } catch (...) {
          _exit(1);
        }
        _exit(opened ? 0 : 2);
      }
      children.push_back(child);
    }
    close(gate[0]);
    close(gate[1]);
    for (const pid_t child : children) {
      int status = 0;
      REQUIRE(waitpid(child, &status, 0) == child);
      CHECK(status == 0);
    }
    CHECK(SessionStore(file).list().size() == 8);
  }
}

TEST_CASE("files that are no session file of ours are refused with advice") {
  TemporaryFolder folder;
  const auto text = (folder.path / "text").string();
  std::ofstream(text) << std::string(4096, 'x');
  CHECK_THROWS_WITH(SessionStore(text), Contains("--session"));
  const auto foreign = (folder.path / "foreign.sqlite").string();
  {
    SQLite::Database database(foreign, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    database.exec("CREATE TABLE precious (x)");
  }
  const auto bytes = [](const std::string& file) {
    std::ifstream stream(file, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(stream), {});
  };
  const auto before = bytes(foreign);
  CHECK_THROWS_WITH(SessionStore(foreign), Contains("another program"));
  CHECK(bytes(foreign) == before);
  const auto newer = (folder.path / "newer.sqlite").string();
  { SessionStore store(newer); }
  {
    SQLite::Database database(newer, SQLite::OPEN_READWRITE);
    database.exec("PRAGMA user_version = 99");
  }
  CHECK_THROWS_WITH(SessionStore(newer), Contains("newer flakebisect"));
  CHECK_THROWS_AS(SessionStore("/proc/none/sessions.sqlite"), SessionError);
}

TEST_CASE("a campaign is what goes on where one of its victims has no verdict or had no turn") {
  TemporaryFolder folder;
  SessionStore store((folder.path / "s.sqlite").string());
  const auto other = store.create(example());
  CampaignInfo campaign;
  campaign.directory = "/project";
  campaign.options = R"({"jobs":1})";
  campaign.victims = R"([{"test":"a"},{"test":"b"}])";
  const auto id = store.create_campaign(campaign);
  const auto found = store.find_campaign(id);
  REQUIRE(found);
  CHECK(found->directory == "/project");
  CHECK(found->options == campaign.options);
  CHECK(found->victims == campaign.victims);
  CHECK_FALSE(store.find_campaign(id + 1));
  REQUIRE(store.latest_unfinished());
  CHECK(store.latest_unfinished()->campaign == id);

  SessionInfo first = example();
  first.campaign = id;
  first.campaign_victim = 1;
  const auto session = store.create(first);
  SessionInfo beside = first;
  beside.campaign_victim = 0;  // the search side by side that belongs to it
  store.finish(store.create(beside), "done", "{}");
  REQUIRE(store.sessions_of_campaign(id).size() == 1);
  CHECK(store.sessions_of_campaign(id)[0].id == session);
  store.finish(session, "done", "{}");
  CHECK(store.latest_unfinished()->campaign == id);  // the second victim had no turn
  store.set_all_tried(id, true);
  CHECK(store.latest_unfinished()->campaign == 0);
  CHECK(store.latest_unfinished()->session == other);
  store.finish(session, "inconclusive", "{}");
  CHECK(store.latest_unfinished()->campaign == id);
}

TEST_CASE("what a probe brought of a campaign's other victims is kept with it") {
  TemporaryFolder folder;
  const auto file = (folder.path / "s.sqlite").string();
  SessionStore store(file);
  const auto id = store.create_campaign({});
  SessionInfo info = example();
  info.campaign = id;
  info.campaign_victim = 1;
  const auto session = store.create(info);
  const KnownRun one{"tests.b", {{"t1", "t\n2"}, flakebisect::bisect::VictimEnd::fail, "Traceback", 2}};
  const KnownRun two{"tests.c", {{}, flakebisect::bisect::VictimEnd::pass, "", 0}};
  store.add(session, failing({0}), {one, two});
  store.add(session, failing({1}), {two});
  const auto alone = store.create(example());
  store.add(alone, failing({0}), {one});  // of no campaign: nobody would ask for it
  const auto runs = SessionStore(file, SessionStore::Access::read).shared_runs(id);
  REQUIRE(runs.size() == 3);
  CHECK(runs[0].victim == "tests.b");
  CHECK(runs[0].run.ran == one.run.ran);
  CHECK(runs[0].run.end == one.run.end);
  CHECK(runs[0].run.traceback == "Traceback");
  CHECK(runs[0].run.beside == 2);
  CHECK(runs[1].victim == "tests.c");
  CHECK(runs[1].run.ran.empty());
  CHECK(runs[2].victim == "tests.c");

  store.remove(session);
  CHECK(SessionStore(file).find_campaign(id));  // it runs: its other victims have their turns yet
}

TEST_CASE("with its last session a campaign is deleted") {
  TemporaryFolder folder;
  const auto file = (folder.path / "s.sqlite").string();
  std::int64_t id = 0;
  std::vector<std::int64_t> sessions;
  {
    SessionStore store(file);
    id = store.create_campaign({});
    SessionInfo info = example();
    info.campaign = id;
    for (info.campaign_victim = 1; info.campaign_victim <= 2; ++info.campaign_victim)
      sessions.push_back(store.create(info));
    store.add(sessions[0], failing({0}), {{"tests.b", {}}});
  }
  SessionStore store(file);
  store.remove(sessions[0]);
  CHECK(store.find_campaign(id));
  CHECK(store.shared_runs(id).size() == 1);
  store.remove(sessions[1]);
  CHECK_FALSE(store.find_campaign(id));
  CHECK(store.shared_runs(id).empty());
}

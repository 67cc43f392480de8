#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "bisect/simulate/case_store.h"

using namespace flakebisect::bisect;
using namespace flakebisect::bisect::simulate;

namespace {

class Folder {
 public:
  Folder() { REQUIRE(mkdtemp(path_.data()) != nullptr); }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_ = (std::filesystem::temp_directory_path() / "flakebisect-test-XXXXXX").string();
};

std::string text_of(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

void write(const std::string& file, const std::string& text) {
  std::ofstream(file, std::ios::binary) << text;
}

Batch small_batch() {
  Batch batch;
  batch.kind = CaseKind::polluter;
  batch.cases.tests = {5, 20};
  batch.count = 3;
  batch.policies = {find_policy("testr")};
  return batch;
}

PolicyAnswer some_answer() {
  PolicyAnswer answer;
  answer.kind = Kind::polluter_set;
  answer.tests = {3, 7};
  answer.probability = 0.1 + 0.2;
  answer.probes = 12;
  answer.search_probes = 8;
  answer.seconds = 1.0 / 3;
  answer.wall_seconds = 0.25;
  answer.choice_seconds = {0.000123, 2};
  answer.error = "none, \"really\"";
  return answer;
}

}  // namespace

TEST_CASE("a store of simulated cases gives back what was added, also after a kill") {
  const Folder folder;
  const std::string file = folder.path() + "/cases";
  const Batch batch = small_batch();
  const Policy& policy = *batch.policies.front();
  {
    CaseStore store(file, "build", 1);
    store.add(batch, policy, 2, some_answer());
    CHECK_FALSE(store.find(batch, policy, 1));
    CHECK_THROWS_WITH(CaseStore(file, "build", 1), Catch::Contains("another simulation uses it"));
  }
  const std::string whole = text_of(file);
  write(file, whole + whole.substr(whole.find('\n') + 1, 40));  // killed in the middle of the next line
  {
    const CaseStore store(file, "build", 1);
    const auto found = store.find(batch, policy, 2);
    REQUIRE(found);
    const PolicyAnswer answer = some_answer();
    CHECK(found->kind == answer.kind);
    CHECK(found->tests == answer.tests);
    CHECK(found->probability == answer.probability);
    CHECK(found->probes == answer.probes);
    CHECK(found->search_probes == answer.search_probes);
    CHECK(found->seconds == answer.seconds);
    CHECK(found->wall_seconds == answer.wall_seconds);
    REQUIRE(found->choice_seconds.size() == 2);
    CHECK(found->choice_seconds[0] == Approx(0.000123));
    CHECK(found->choice_seconds[1] == Approx(2));
    CHECK(found->error == answer.error);
    CHECK_FALSE(store.find(batch, policy, 1));
    CHECK_FALSE(store.find(batch, *find_policy("told-q"), 2));
    Batch other = batch;
    other.options.confidence = 0.9;
    CHECK_FALSE(store.find(other, policy, 2));
    other = batch;
    other.cases.history_runs = 3;
    CHECK_FALSE(store.find(other, policy, 2));
    other = batch;
    other.label = "a word for tables";
    CHECK(store.find(other, policy, 2));
  }
  CHECK(text_of(file) == whole);
}

TEST_CASE("a store of other cases, or a file that is none, is refused and left as it was") {
  const Folder folder;
  const std::string file = folder.path() + "/cases";
  { const CaseStore store(file, "build", 1); }
  const std::string head = text_of(file);
  CHECK_THROWS_WITH(CaseStore(file, "other", 1), Catch::Contains("another build"));
  CHECK_THROWS_WITH(CaseStore(file, "build", 2), Catch::Contains("another seed"));
  CHECK(text_of(file) == head);
  for (const std::string& text :
       {std::string("a letter"), std::string("{\n \"bars\": []\n}\n"), head + "{}\n",
        std::string("{\"schema\": \"flakebisect/simulation/1\"}\n")}) {
    write(file, text);
    CHECK_THROWS_AS(CaseStore(file, "build", 1), std::runtime_error);
    CHECK(text_of(file) == text);
  }
  CHECK_THROWS_WITH(CaseStore(folder.path(), "build", 1), Catch::Contains("give a file"));
  CHECK_THROWS_AS(CaseStore(folder.path() + "/none/cases", "build", 1), std::runtime_error);
}

TEST_CASE("a campaign takes what its store holds and adds what it lacks") {
  const Folder folder;
  const std::string file = folder.path() + "/cases";
  const Batch batch = small_batch();
  PolicyAnswer told;
  told.kind = Kind::self;
  told.probes = 4711;
  CampaignOptions options;
  options.threads = 2;
  const std::vector<BatchResult> without = run_campaign({batch}, options);
  {
    CaseStore store(file, "build", 1);
    store.add(batch, *batch.policies.front(), 1, told);
  }
  for (int run = 0; run < 2; ++run) {
    CaseStore store(file, "build", 1);
    options.store = &store;
    const std::vector<BatchResult> results = run_campaign({batch}, options);
    const std::vector<CaseResult>& cases = results.front().by_policy.front();
    CHECK(cases[1].answer.probes == 4711);
    CHECK(cases[1].judgement == Judgement::wrong);
    for (const std::size_t number : {0U, 2U}) {
      const CaseResult& expected = without.front().by_policy.front()[number];
      CHECK(cases[number].answer.probes == expected.answer.probes);
      CHECK(cases[number].answer.seconds == expected.answer.seconds);
      CHECK(cases[number].q == expected.q);
    }
  }
  const std::string text = text_of(file);
  CHECK(std::count(text.begin(), text.end(), '\n') == 4);
}

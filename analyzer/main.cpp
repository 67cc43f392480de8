#include "analyzer/commands.h"

int main(int argc, char** argv) {
  return flakebisect::analyzer::run_program({argv + (argc > 0 ? 1 : 0), argv + argc});
}

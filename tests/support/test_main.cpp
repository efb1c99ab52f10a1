// Runs the CppUnit suite that is registered under the name given as the first argument.
// A second argument names one test method of it, alone or with its class. No test found is a failure: a
// misspelt name must not pass.

#include <cppunit/BriefTestProgressListener.h>
#include <cppunit/CompilerOutputter.h>
#include <cppunit/TestResult.h>
#include <cppunit/TestResultCollector.h>
#include <cppunit/extensions/TestFactoryRegistry.h>
#include <cppunit/ui/text/TestRunner.h>

#include <iostream>
#include <string>

namespace {

/// CppUnit knows a method by `namespace::Class::method` only. `wanted` itself where there is none of that
/// name.
std::string full_name(const CppUnit::Test& test, const std::string& wanted) {
  for (int i = 0; i < test.getChildTestCount(); ++i) {
    const std::string found = full_name(*test.getChildTestAt(i), wanted);
    if (found != wanted) return found;
  }
  return test.getName().ends_with("::" + wanted) ? test.getName() : wanted;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: " << argv[0] << " SUITE [TEST]\n";
    return 2;
  }
  CppUnit::Test* suite = CppUnit::TestFactoryRegistry::getRegistry(argv[1]).makeTest();
  CppUnit::TextUi::TestRunner runner;
  runner.addTest(suite);
  CppUnit::BriefTestProgressListener progress;
  runner.eventManager().addListener(&progress);
  runner.setOutputter(new CppUnit::CompilerOutputter(&runner.result(), std::cerr));

  const std::string one = argc > 2 ? full_name(*suite, argv[2]) : "";
  bool passed = false;
  try {
    passed = runner.run(one, false, true, false);
  } catch (const std::exception& error) {
    std::cerr << argv[1] << ": " << error.what() << "\n";
    return 2;
  }
  if (runner.result().runTests() == 0) {
    std::cerr << argv[1] << ": no test ran\n";
    return 2;
  }
  return passed ? 0 : 1;
}

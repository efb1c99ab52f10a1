// Runs the CppUnit suite that is registered under the name given as the first argument.
// A second argument names one test method of it. No test found is a failure: a misspelt name must not pass.

#include <cppunit/BriefTestProgressListener.h>
#include <cppunit/CompilerOutputter.h>
#include <cppunit/TestResult.h>
#include <cppunit/TestResultCollector.h>
#include <cppunit/extensions/TestFactoryRegistry.h>
#include <cppunit/ui/text/TestRunner.h>

#include <iostream>

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

  const std::string one = argc > 2 ? argv[2] : "";
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

import Foundation
import HearthKernels
import Support
import Testing

/// The rules of ARCHITECTURE.md that a compiler does not check.
@Suite struct ArchitectureTests {
    /// What each target may import of this package.
    static let layers: [String: Set<String>] = [
        "HearthRoofline": [], "HearthTelemetry": ["CNVML"], "HearthJSON": [],
        "HearthFormats": ["HearthJSON"], "HearthGrammar": ["HearthJSON"], "HearthLedger": ["HearthJSON"],
        "HearthPolicy": ["HearthJSON", "HearthLedger"],
        "HearthCompute": ["HearthRoofline", "CVulkan", "CKernels"],
        "HearthKernels": ["HearthCompute", "HearthRoofline", "CKernels", "CShaders", "COpenBLAS"],
        "HearthBLAS": ["HearthKernels", "HearthCompute", "CBLAS"],
        "HearthModels": ["HearthKernels", "HearthCompute", "HearthFormats", "HearthRoofline"],
        "HearthInference": [
            "HearthModels", "HearthKernels", "HearthCompute", "HearthFormats", "HearthGrammar", "HearthRoofline",
        ],
        "HearthServe": [
            "HearthInference", "HearthCompute", "HearthFormats", "HearthGrammar", "HearthFleet", "HearthJSON",
            "HearthRoofline", "HearthTelemetry",
        ],
        "HearthBench": ["HearthKernels", "HearthCompute", "HearthRoofline"],
        "HearthFleet": ["HearthJSON", "HearthPolicy", "HearthRoofline"],
        "HearthEvidence": ["HearthFleet", "HearthJSON", "HearthLedger", "HearthPolicy"],
        "HearthIdentity": ["HearthFleet", "HearthJSON", "HearthPolicy"],
        "HearthPlacement": ["HearthFleet", "HearthPolicy", "HearthRoofline"],
        "HearthStore": ["HearthFleet"],
        "HearthAgent": [
            "HearthFleet", "HearthIdentity", "HearthJSON", "HearthPolicy", "HearthStore", "HearthRoofline",
            "HearthTelemetry", "CProcess",
        ],
        "HearthCoordinator": [
            "HearthEvidence", "HearthFleet", "HearthIdentity", "HearthJSON", "HearthLedger", "HearthPlacement",
            "HearthPolicy", "HearthStore", "HearthRoofline",
        ],
        "hearth": [
            "HearthAgent", "HearthBench", "HearthCompute", "HearthCoordinator", "HearthEvidence", "HearthFleet",
            "HearthFormats",
            "HearthIdentity", "HearthInference", "HearthJSON", "HearthKernels", "HearthLedger", "HearthPlacement",
            "HearthPolicy",
            "HearthRoofline",
            "HearthServe", "HearthTelemetry",
        ],
    ]

    private func files(under folder: String, ending: String) throws -> [URL] {
        let root = TestPaths.repository.appending(path: folder)
        let found = try FileManager.default.subpathsOfDirectory(atPath: root.path)
        return found.filter { $0.hasSuffix(ending) }.map { root.appending(path: $0) }
    }

    @Test func importsPointDown() throws {
        let targets = try FileManager.default.contentsOfDirectory(
            atPath: TestPaths.repository.appending(path: "Sources").path)
        #expect(Set(targets) == Set(Self.layers.keys))
        for target in targets {
            for file in try files(under: "Sources/\(target)", ending: ".swift") {
                for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
                where line.hasPrefix("import ") {
                    let module = String(line.dropFirst(7))
                    let isOurs =
                        module.hasPrefix("Hearth")
                        || ["CVulkan", "CKernels", "CShaders", "COpenBLAS", "CBLAS", "CProcess"].contains(module)
                    #expect(
                        !isOurs || Self.layers[target]!.contains(module), "\(file.lastPathComponent) imports \(module)")
                }
            }
        }
    }

    @Test(arguments: KernelCatalog.names)
    func everyKernelHasItsCompanions(kernel: String) throws {
        let sources = try files(under: "Sources/HearthKernels/\(kernel)", ending: ".swift").map(\.lastPathComponent)
        for part in ["", "+Cost", "+Reference", "+CPU"] {
            #expect(sources.contains("\(kernel)\(part).swift"), "\(kernel)\(part).swift")
        }
        #expect(try !files(under: "Shaders/\(kernel)", ending: ".slang").isEmpty)
        let tests = try files(under: "Tests/HearthKernelsTests", ending: ".swift")
            .map { try String(contentsOf: $0, encoding: .utf8) }.joined()
        #expect(tests.contains("\(kernel).encode") && tests.contains("\(kernel).reference"))
    }

    @Test func everyVariantIsEmbedded() throws {
        struct Manifest: Decodable {
            struct Module: Decodable {
                let operation: String
                let each: [String: [String]]?
            }
            let modules: [Module]
        }
        let data = try Data(contentsOf: TestPaths.repository.appending(path: "Shaders/variants.json"))
        var wanted: Set<String> = []
        for module in try JSONDecoder().decode(Manifest.self, from: data).modules {
            guard let (name, values) = module.each?.first else {
                wanted.insert(module.operation)
                continue
            }
            for value in values {
                wanted.insert(module.operation.replacing("${\(name)}", with: value.lowercased()))
            }
        }
        #expect(wanted.sorted() == ShaderCatalog.operations)
        for operation in ShaderCatalog.operations {
            let names = ShaderCatalog.variants(of: operation).map(\.name)
            #expect(Set(names).count == names.count, "\(operation) lists \(names)")
        }
    }

    @Test func filesStayShort() throws {
        for folder in ["Sources", "CModules", "Shaders"] {
            for ending in [".swift", ".c", ".h", ".slang"] {
                for file in try files(under: folder, ending: ending) where file.lastPathComponent != "shaders.c" {
                    let lines = try String(contentsOf: file, encoding: .utf8).split(
                        separator: "\n", omittingEmptySubsequences: false)
                    #expect(lines.count <= 400, "\(file.lastPathComponent) has \(lines.count) lines")
                }
            }
        }
    }

    @Test func librariesNeverAbort() throws {
        for file in try files(under: "Sources", ending: ".swift") {
            let text = try String(contentsOf: file, encoding: .utf8)
            #expect(!text.contains("try!") && !text.contains("fatalError("), "\(file.lastPathComponent)")
        }
    }
}

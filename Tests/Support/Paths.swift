import Foundation

/// Where tests find the repository, the program and what scripts/test fetched.
public enum TestPaths {
    public static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent()
        .deletingLastPathComponent()

    /// The program under test, built beside the test bundle.
    public static var hearth: String {
        ProcessInfo.processInfo.environment["HEARTH_BINARY"]
            ?? repository.appending(path: ".build/release/hearth").path
    }

    private static var cache: URL {
        let environment = ProcessInfo.processInfo.environment
        return environment["HEARTH_CACHE"].map { URL(fileURLWithPath: $0) }
            ?? environment["XDG_CACHE_HOME"].map { URL(fileURLWithPath: $0).appending(path: "hearth") }
            ?? FileManager.default.homeDirectoryForCurrentUser.appending(path: ".cache/hearth")
    }

    /// The default model; nil when scripts/fetch-model could not have it. `HEARTH_TEST_MODEL` names another for ParityTests.
    public static var model: String? {
        let other = ProcessInfo.processInfo.environment["HEARTH_TEST_MODEL"].map { URL(fileURLWithPath: $0) }
        return existing(other ?? cache.appending(path: "models/SmolLM2-135M-Instruct.Q4_1.gguf"))
    }

    /// llama.cpp's tokenizer vectors; nil when scripts/fetch-vectors could not have them.
    public static var vocabularies: String? { existing(cache.appending(path: "vocabularies")) }

    /// ONNX's operator vectors; nil when scripts/fetch-operators could not have them.
    public static var operators: String? {
        existing(cache.appending(path: "operators/complete")).map { String($0.dropLast("/complete".count)) }
    }

    /// What Tests/parity/reference.py wrote; nil when it was not run.
    public static var parity: String? {
        let name = model.map { URL(fileURLWithPath: $0).deletingPathExtension().lastPathComponent } ?? ""
        return existing(repository.appending(path: ".build/parity/\(name).json"))
    }

    /// What Tests/parity/templates.py wrote; nil when it was not run.
    public static var templates: String? { existing(repository.appending(path: ".build/parity/templates.json")) }

    private static func existing(_ url: URL) -> String? {
        FileManager.default.fileExists(atPath: url.path) ? url.path : nil
    }

    /// A new empty folder.
    public static func temporaryFolder() throws -> String {
        let folder = FileManager.default.temporaryDirectory.appending(path: "hearth-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder.path
    }
}

import Foundation
import HearthFleet

/// What a job sees of the machine: the program and its libraries, devices, its own folder, what its spec names, and nothing else.
///
/// Made with bubblewrap: namespaces of its own for processes, IPC and, but for servers, network; no capabilities beyond reading what the agent
/// may read; nothing of the file system that is not listed here.
package struct Sandbox: Sendable {
    /// Where compute caches are kept: jobs read ceilings and write compiled pipelines.
    private let cache: String
    private let admission: String?

    private static let bubblewrap = "/usr/bin/bwrap"

    /// nil where jobs run without one.
    ///
    /// - Parameters:
    ///   - admission: the node's own settings file, which jobs are held to; nil means the standard one.
    ///   - onAbsence: told why there is none, in mode `auto`.
    /// - Throws: `ConfigError` where it is required and does not work.
    package static func prepare(
        _ mode: SandboxMode, cache: String, admission: String?, onAbsence: (String) -> Void
    ) throws(ConfigError) -> Sandbox? {
        if mode == .off { return nil }
        guard let problem else { return Sandbox(cache: cache, admission: admission) }
        if mode == .required { throw ConfigError("sandbox: required, but \(problem)") }
        onAbsence(problem)
        return nil
    }

    /// Why there can be none on this machine; nil where there can.
    package static var problem: String? {
        guard FileManager.default.isExecutableFile(atPath: bubblewrap) else {
            return "there is no \(bubblewrap): install bubblewrap"
        }
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: bubblewrap)
        process.arguments = Array(namespaces(hasNetwork: false).dropFirst()) + system + ["--", "/bin/true"]
        (process.standardOutput, process.standardError) = (FileHandle.nullDevice, pipe)
        do { try process.run() } catch { return "\(bubblewrap): \(error.localizedDescription)" }
        let said = (try? pipe.fileHandleForReading.readToEnd()) ?? nil
        process.waitUntilExit()
        return process.terminationStatus == 0
            ? nil : String(decoding: said ?? Data(), as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// The command that runs `command` as the job `spec` in `folder`.
    /// The program, its first word, is shown, too.
    ///
    /// - Throws: `ChildError` for an output that is no file which can be written: written elsewhere, it would be lost.
    package func command(_ command: [String], spec: JobSpec, folder: String) throws -> [String] {
        var arguments = Self.namespaces(hasNetwork: spec.kind == .serve) + Self.system
        for path in [command[0]] + readable(spec) { arguments += ["--ro-bind-try", path, path] }
        // Models that are kept there are not this job's, but for its own.
        let models = cache + "/models"
        arguments += ["--bind-try", cache, cache]
        if FileManager.default.fileExists(atPath: models) { arguments += ["--tmpfs", models] }
        if let model = spec.model { arguments += Self.model(model) }
        arguments += ["--bind", folder, folder]
        if let output = spec.output {
            // A file that is not there cannot be shown; nor is anything else opened: it could wait, or do something.
            let descriptor = open(output, O_WRONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0o600)
            var status = stat()
            defer { if descriptor >= 0 { close(descriptor) } }
            guard descriptor >= 0, fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
                let reason = descriptor < 0 ? String(cString: strerror(errno)) : "is no file"
                throw ChildError("output: \(output): \(reason)")
            }
            arguments += ["--bind", output, output]
        }
        return arguments + ["--remount-ro", "/", "--chdir", "/", "--"] + command
    }

    private static func namespaces(hasNetwork: Bool) -> [String] {
        var arguments = [bubblewrap, "--unshare-user-try", "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
        arguments += ["--unshare-cgroup-try", "--cap-drop", "ALL"]
        // Files of other users that a root agent may read are read by its jobs.
        if getuid() == 0 { arguments += ["--cap-add", "CAP_DAC_OVERRIDE"] }
        if !hasNetwork { arguments.append("--unshare-net") }
        arguments.append("--clearenv")
        for (name, value) in ProcessInfo.processInfo.environment where isPassedOn(name) {
            arguments += ["--setenv", name, value]
        }
        return arguments
    }

    private static func isPassedOn(_ name: String) -> Bool {
        ["PATH", "HOME", "LANG", "XDG_CACHE_HOME"].contains(name)
            || ["HEARTH_", "VK_", "MESA_", "OPENBLAS_"].contains { name.hasPrefix($0) }
    }

    /// Libraries, drivers and devices.
    private static var system: [String] {
        var arguments: [String] = []
        for path in [
            "/usr", "/sys", "/etc/ld.so.cache", "/etc/alternatives", "/etc/vulkan", "/etc/OpenCL", "/opt/swift",
        ] {
            arguments += ["--ro-bind-try", path, path]
        }
        for name in ["bin", "lib", "lib32", "lib64", "sbin"] {
            let link = try? FileManager.default.destinationOfSymbolicLink(atPath: "/\(name)")
            arguments += link.map { ["--symlink", $0, "/\(name)"] } ?? ["--ro-bind-try", "/\(name)", "/\(name)"]
        }
        arguments += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]
        let devices = (try? FileManager.default.contentsOfDirectory(atPath: "/dev")) ?? []
        for device in devices.sorted() where device.hasPrefix("nvidia") || device == "dri" || device == "kfd" {
            arguments += ["--dev-bind-try", "/dev/\(device)", "/dev/\(device)"]
        }
        return arguments
    }

    /// What the spec names, but for its model and output, and what `hearth run` holds it to.
    private func readable(_ spec: JobSpec) -> [String] {
        var paths = [spec.input, spec.apiKeys, spec.tlsCertificate, spec.tlsKey].compactMap(\.self)
        paths.append(admission ?? AdmissionConfig.standardPath)
        if let settings = try? AdmissionConfig.read(admission) { paths += [settings.labels, settings.trusted] }
        // Drivers that the environment names.
        for name in ["VK_ICD_FILENAMES", "VK_DRIVER_FILES"] {
            let files = ProcessInfo.processInfo.environment[name]?.split(separator: ":") ?? []
            paths += files.map { URL(fileURLWithPath: String($0)).deletingLastPathComponent().path }
        }
        return paths
    }

    /// A file, or a folder, whose links show what they lead to.
    private static func model(_ path: String) -> [String] {
        var arguments = ["--ro-bind-try", path, path]
        for name in (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] {
            let entry = URL(fileURLWithPath: path).appending(path: name)
            guard (try? FileManager.default.destinationOfSymbolicLink(atPath: entry.path)) != nil else { continue }
            let target = entry.resolvingSymlinksInPath().path
            arguments += ["--ro-bind-try", target, target]
        }
        return arguments
    }
}

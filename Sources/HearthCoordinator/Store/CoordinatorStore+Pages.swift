import Foundation
import GRDB
import HearthFleet
import HearthRoofline
import HearthStore

/// What pages show besides nodes and jobs.
extension CoordinatorStore {
    /// What the newest jobs of `node` took on its devices, each kernel's last.
    func kernelTimes(of node: String, limit: Int = 200) async throws -> [(device: String, time: KernelTime)] {
        try await database.read { db in
            try Row.fetchAll(
                db, sql: "SELECT device, body FROM kernel_times WHERE node = ? ORDER BY id DESC LIMIT ?",
                arguments: [node, limit]
            ).map { ($0["device"], try JSONColumn.decode(KernelTime.self, $0["body"])) }
        }
    }

    func leafNumbers(of job: String) async throws -> [Int] {
        try await database.read {
            try Int.fetchAll($0, sql: "SELECT number FROM ledger WHERE job = ? ORDER BY number", arguments: [job])
        }
    }

    /// The newest first.
    func newestLeaves(limit: Int) async throws -> [(index: Int, job: String, leaf: String)] {
        try await database.read { db in
            try Row.fetchAll(
                db, sql: "SELECT number, job, leaf FROM ledger ORDER BY number DESC LIMIT ?", arguments: [limit]
            ).map { ($0["number"], $0["job"], String(decoding: $0["leaf"] as Data, as: UTF8.self)) }
        }
    }

    /// Another whenever a page could look otherwise: steps of jobs, and what is known of nodes. Loads, which come all the time, are drawn anew with the rest.
    func changeMark() async throws -> [String] {
        try await database.read { [contacts] db in
            let nodes = """
                SELECT GROUP_CONCAT(n.node || health || IFNULL(evidence, '') || IFNULL(drained, '') || IFNULL(reason, ''))
                FROM nodes AS n LEFT JOIN bars ON bars.node = n.node AND bars.key IS NULL
                """
            return [
                try String.fetchOne(db, sql: "SELECT MAX(number) FROM ledger") ?? "",
                try String.fetchOne(db, sql: "SELECT MAX(rowid) FROM ceilings") ?? "",
                try String.fetchOne(db, sql: "SELECT COUNT(*) FROM jobs WHERE state = 'running'") ?? "",
                try String.fetchOne(db, sql: nodes) ?? "", contacts.connectedNodes.joined(separator: " "),
            ]
        }
    }
}

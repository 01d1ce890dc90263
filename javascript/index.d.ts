export class ArmadilloError extends Error {}

export interface ServerState {
  name: string;
  role: string;
  state: string;
  pid: number | null;
  memory_bytes: number | null;
  up_seconds: number | null;
  health: string;
  leads: string[];
  endpoints: Record<string, string>;
}

export interface DeploymentState {
  name: string;
  id: string;
  system: string;
  topology: string;
  healthy: boolean;
  complaints: string[];
  servers: ServerState[];
}

export class Server {
  readonly name: string;
  status(): Promise<ServerState>;
  kill(): Promise<string>;
  stop(): Promise<string>;
  start(): Promise<string>;
  restart(): Promise<string>;
  pause(): Promise<string>;
  resume(): Promise<string>;
  log(): Promise<string>;
}

export class Session {
  static start(topologies: string | string[], options?: { flags?: string[] }): Promise<Session>;
  static current(): Promise<Session | undefined>;
  readonly variables: Record<string, string>;
  stop(): Promise<void>;
  call(...words: string[]): Promise<string>;
  status(): Promise<DeploymentState[]>;
  servers(role?: string): Promise<ServerState[]>;
  server(name: string): Server;
  cut(server: string, other?: string): Promise<string>;
  heal(): Promise<string>;
  waitHealthy(limit?: number): Promise<void>;
}

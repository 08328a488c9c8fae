/** SaladCloud's own client takes the simulated provider for SaladCloud, and sees what the adapter does. */
import { type ProblemDetails, SaladCloudSdk } from '@saladtechnologies-oss/salad-cloud-sdk';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Offer, Provider } from '../../functions/core/providers/provider.ts';
import { salad } from '../../functions/core/providers/salad.ts';
import { accountKey } from './conformance.ts';
import { type ManualClock, manualClock } from './simulator/clock.ts';
import { organization, project } from './simulator/salad/group.ts';
import { startSalad } from './simulator/salad.ts';
import type { Simulator } from './simulator/server.ts';

const image = 'registry.invalid/aima-worker:1';
const label = 'aima-tester-1';

describe('the SDK of SaladCloud', () => {
  let clock: ManualClock;
  let simulator: Simulator;
  let provider: Provider;
  let offer: Offer;
  let sdk: SaladCloudSdk;

  beforeEach(async () => {
    clock = manualClock();
    simulator = await startSalad({ clock, acceptMs: 5000, pullMs: 20_000 });
    provider = salad({ url: simulator.url, apiKey: accountKey, organization, project, image, diskGb: 40 });
    offer = (await provider.offers()).find(({ gpu }) => gpu === 'RTX 4090')!;
    sdk = new SaladCloudSdk({ apiKey: accountKey, baseUrl: `${simulator.url}/api/public` });
  });
  afterEach(() => simulator.close());

  const create = () =>
    provider.create({
      label,
      offer,
      environment: { AIMA_INSTANCE_ID: 'x' },
      deadlineAt: new Date(clock.nowMs() + 3_600_000),
      maxCostMicrodollars: 1_000_000,
    });

  it('lists the classes and what is free of them', async () => {
    const { data: classes } = await sdk.organizationData.listGpuClasses(organization);
    expect(classes!.items).toContainEqual(
      expect.objectContaining({ id: offer.offerId, name: 'RTX 4090 (24 GB)' }),
    );
    const gpuClasses = [offer.offerId];
    await create();
    const { data: free } = await sdk.organizations.getGpuAvailability(organization, { gpuClasses });
    expect(free).toMatchObject({ availableGpuHigh: offer.available - 1 });
  });

  it('sees the group that the adapter made', async () => {
    await create();
    clock.advance(60_000);
    const { data: group } = await sdk.containerGroups.getContainerGroup(organization, project, label);
    expect(group).toMatchObject({
      name: label,
      restartPolicy: 'never',
      priority: 'high',
      container: { environmentVariables: { AIMA_INSTANCE_ID: 'x' } },
      currentState: { status: 'running', instanceStatusCounts: { runningCount: 1 } },
    });
    const { data: nodes } = await sdk.containerGroups.listContainerGroupInstances(
      organization,
      project,
      label,
    );
    expect(nodes).toMatchObject({ instances: [{ state: 'running', ready: true }] });
  });

  it('makes, lists and deletes groups of its own, which the adapter sees', async () => {
    await create();
    const { data: made } = await sdk.containerGroups.createContainerGroup(organization, project, {
      name: 'somebody-else',
      container: { image, resources: { cpu: 2, memory: 4096, gpuClasses: [offer.offerId] } },
      replicas: 1,
      restartPolicy: 'always',
      autostartPolicy: true,
    });
    expect(made).toMatchObject({ name: 'somebody-else', currentState: { status: 'pending' } });
    const { data: listed } = await sdk.containerGroups.listContainerGroups(organization, project);
    expect(listed!.items.map(({ name }) => name)).toEqual([label, 'somebody-else']);
    expect(await provider.list()).toMatchObject([{ label }, { label: 'somebody-else' }]);

    await sdk.containerGroups.deleteContainerGroup(organization, project, 'somebody-else');
    const gone = sdk.containerGroups.getContainerGroup(organization, project, 'somebody-else');
    await expect(gone).rejects.toMatchObject({ status: 404 } satisfies Partial<ProblemDetails>);
    expect(await provider.list()).toMatchObject([{ label }]);
  });

  it('is told of a name that is taken', async () => {
    await create();
    const again = sdk.containerGroups.createContainerGroup(organization, project, {
      name: label,
      container: { image, resources: { cpu: 2, memory: 4096, gpuClasses: [offer.offerId] } },
      replicas: 1,
      restartPolicy: 'never',
      autostartPolicy: true,
    });
    await expect(again).rejects.toMatchObject({ metadata: { status: 409 } });
    expect(simulator.market.alive()).toHaveLength(1);
  });
});

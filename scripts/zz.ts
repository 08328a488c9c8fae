import { startStack } from '../tests/stack/start-stack.ts';
const t=performance.now();
const stack = await startStack({ models: false });
console.log('up', performance.now()-t, stack.output().slice(-1500));
const h = { authorization: `Bearer ${stack.apiToken}`, 'content-type': 'application/json' };
const a:any = await (await fetch(stack.gatewayUrl+'/function/submit-job',{method:'POST',headers:h,body:JSON.stringify({name:'tone.wav',preset:'metadata'})})).json();
console.log(JSON.stringify(a));
const {wav} = await import('./bench/wav.ts');
const p = await fetch(a.jobs[0].upload.url,{method:'PUT',body:wav}); console.log(p.status, await p.text());
for(let i=0;i<10;i++){ await new Promise(r=>setTimeout(r,1000)); const j:any=await (await fetch(stack.gatewayUrl+'/function/jobs/'+a.jobs[0].jobId,{headers:h})).json(); console.log(j.state, j.error, j.queue, j.title??''); if(j.state==='succeeded') break; }
console.log(await (await fetch(stack.gatewayUrl+'/function/jobs/'+a.jobs[0].jobId+'/events',{headers:h})).text());
console.log(await (await fetch(stack.gatewayUrl+'/function/orchestrate',{headers:h})).text());
const { execSync } = await import('node:child_process');
console.log(execSync(`tail -n 30 ${stack.dataDir}/logs/*.log ${stack.dataDir}/logs/workers/*.log || true`).toString().slice(-6000));
await stack.remove(); process.exit(0);
